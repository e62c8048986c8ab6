import type { DistributionKind } from '../wire/job.ts'
import { FaultFound } from './archive-fault.ts'
import { show } from './archive-members.ts'

const wheelTexts = /^[^/]+\.dist-info\/(?:METADATA|WHEEL|RECORD)$/
const sdistTexts = new RegExp(
  [
    /PKG-INFO|pyproject\.toml|setup\.cfg|setup\.py|tox\.ini/,
    // setuptools writes the second always, the first when there are requirements.
    /(?:[^/]+\/)?[^/]*\.egg-info\/(?:requires|dependency_links)\.txt/,
    /(?:(?:tests?|testing|dev|ci|requirements)\/)?[^/]*requirements?[^/]*\.(?:txt|in)/,
    /(?:[^/]+\/)?requirements\/[^/]+\.(?:txt|in)/,
  ]
    .map(part => `(?:${part.source})`)
    .join('|')
    .replace(/^/, '^[^/]+/(?:')
    .replace(/$/, ')$'),
)
const essentialTexts = /^[^/]+\/(?:PKG-INFO|pyproject\.toml|setup\.cfg|setup\.py|tox\.ini)$/
const maximumTexts = 200
const MiB = 1024 * 1024
/** Lists of requirements, in all: more of them are not read. */
const listBytes = 16 * MiB
/** All texts are held in memory. */
const totalBytes = 64 * MiB

/** Collects the few texts an archive's requirements can be read from. */
export class WantedTexts {
  /** By path in the archive. */
  readonly found = new Map<string, string>()
  readonly #pattern: RegExp
  readonly #maximumBytes: number
  readonly #kind: DistributionKind
  #bytes = 0

  constructor(kind: DistributionKind, maximumBytes: number) {
    this.#pattern = kind === 'wheel' ? wheelTexts : sdistTexts
    this.#maximumBytes = maximumBytes
    this.#kind = kind
  }

  /** @throws FaultFound `bad-metadata` */
  wants(path: string, size: number): boolean {
    // The RECORD of a wheel with tens of thousands of files is long and right: it is just not compared.
    if (path.endsWith('/RECORD') && size > this.#maximumBytes) return false
    if (!this.#pattern.test(path) || this.found.size >= maximumTexts) return false
    const essential = this.#kind === 'wheel' || essentialTexts.test(path)
    if (!essential && this.#bytes + size > listBytes) return false
    this.#bytes += size
    if (this.#bytes > totalBytes)
      throw new FaultFound('bad-metadata', `more than ${totalBytes} bytes of metadata at ${show(path)}`)
    return true
  }

  /** @returns takes the member's bytes, then ends it */
  open(path: string): { write(chunk: Uint8Array): void; end(): void } {
    const chunks: Uint8Array[] = []
    let size = 0
    return {
      write: chunk => {
        size += chunk.length
        if (size > this.#maximumBytes)
          throw new FaultFound('bad-metadata', `${show(path)} is larger than ${this.#maximumBytes} bytes`)
        chunks.push(chunk)
      },
      end: () => {
        this.found.set(
          path,
          Buffer.concat(chunks)
            .toString('utf8')
            .replace(/^\uFEFF/, ''),
        )
      },
    }
  }
}
