import type { Network } from '../net/network.ts'
import type { Witness } from './witness.ts'

/** Answers `add-checkpoint` over the connections a node has: a witness behind a NAT needs no address of its own. */
export function answerCheckpoints(network: Pick<Network, 'serve'>, witness: Witness): void {
  network.serve('add-checkpoint', ({ body }) => witness.addCheckpoint(body))
}
