import { eventsOf, isTests, sightingsOf } from '../events.ts'
import { isOutward, staysHere } from '../network.ts'
import type { Rule } from '../rule.ts'

export const networkRules: readonly Rule[] = [
  {
    id: 'network-use',
    version: 1,
    level: 'observed',
    reason: 'Another machine was looked for or spoken to.',
    test: scene => sightingsOf(eventsOf(scene).filter(isOutward)),
  },
  {
    id: 'listens',
    version: 1,
    level: 'observed',
    reason: 'It waits for connections from other machines, and not in a test.',
    test: scene =>
      sightingsOf(
        eventsOf(scene, undefined, 'listen').filter(
          event => !isTests(event) && (!staysHere(event) || /^\w+ (?:0\.0\.0\.0|\[::\]):/.test(event.what)),
        ),
      ),
  },
]
