import { join } from 'node:path'
import { InvalidArgumentError, Option } from 'commander'
import { parseVkey, type Vkey } from '../attest/log/note.ts'
import { vkeyName } from '../attest/log/vkey.ts'
import { systemClock } from '../clock.ts'
import { messageOf } from '../errors.ts'
import { type Identity, loadOrCreateIdentity } from '../identity.ts'
import { openLevelStore } from '../store/level.ts'
import { checkSchemaVersion } from '../store/version.ts'
import { openWitness, type Witness, type WitnessOptions } from '../witness/witness.ts'

/**
 * A witness with the key `witness.key` and the database `witness` of a data folder.
 * @param options.name of its key, as others see it; made from the key when left out
 */
export async function openNodeWitness(options: {
  dataDir: string
  name?: string
  logOf: WitnessOptions['logOf']
  onCosigned?: WitnessOptions['onCosigned']
}): Promise<{ witness: Witness; identity: Identity; close(): Promise<void> }> {
  const { dataDir, logOf, onCosigned } = options
  const identity = await loadOrCreateIdentity(join(dataDir, 'witness.key'))
  const { publicKey, sign, peerId } = identity
  const signer = { name: options.name ?? `pyti-witness/${peerId.slice(-8)}`, publicKey, sign }
  const store = await openLevelStore(join(dataDir, 'witness'))
  try {
    await checkSchemaVersion(store)
    const witness = await openWitness({
      store,
      signer,
      logOf,
      clock: systemClock,
      ...(onCosigned && { onCosigned }),
    })
    return { witness, identity, close: () => store.close() }
  } catch (error) {
    await store.close()
    throw error
  }
}

function parseOption(text: string, type: Vkey['type']): Vkey {
  try {
    const vkey = parseVkey(text)
    if (vkey.type === type) return vkey
  } catch (cause) {
    throw new InvalidArgumentError(messageOf(cause))
  }
  throw new InvalidArgumentError(type === 1 ? 'it is the key of a witness' : 'it is the key of a log')
}

/** One C2SP vkey, of a log (1) or of a witness (4). */
export const vkeyOption = (flags: string, description: string, type: Vkey['type']): Option =>
  new Option(flags, description).argParser(text => {
    parseOption(text, type)
    return text
  })

/** May be given several times. */
export const vkeysOption = (flags: string, description: string, type: Vkey['type']): Option =>
  new Option(flags, description).argParser((text, earlier: Vkey[] | undefined) => [
    ...(earlier ?? []),
    parseOption(text, type),
  ])

export function witnessName(text: string): string {
  if (!vkeyName.test(text)) throw new InvalidArgumentError('no spaces, no plus signs, 255 characters at most')
  return text
}
