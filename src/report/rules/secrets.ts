import { byTask, eventsOf, isTests, type Seen, sightingsOf } from '../events.ts'
import { hostOf, isOutward, staysHere } from '../network.ts'
import { actorOf, ownsSecret } from '../programs.ts'
import type { Rule } from '../rule.ts'
import type { Scene } from '../scene.ts'

/**
 * The services some planted secrets are for. A test that calls its service with the token it finds does what it is there
 * for; an import, a build or an installation has no business to.
 */
const services: Readonly<Record<string, RegExp>> = {
  'forge-token-env': /^api\.github\.com$/,
  'api-key-env': /^api\.openai\.com$/,
  'cloud-env': /\.amazonaws\.com$/,
  'cloud-credentials': /\.amazonaws\.com$/,
}

/** Packages that read a file of this kind whenever they are used; it is theirs to read. */
const readers: Readonly<Record<string, readonly string[]>> = {
  dotenv: [
    'python-dotenv',
    'pydantic-settings',
    'environs',
    'python-decouple',
    'django-environ',
    'dynaconf',
    'starlette',
  ],
}

const isForItsService = (event: Seen) =>
  isTests(event) && services[event.what.split(' ', 1)[0] ?? '']?.test(hostOf(event.what)) === true

/** A read that the program or a package it uses does by itself, whatever the distribution wants. */
function isExplained(scene: Scene, event: Seen): boolean {
  const known = readers[event.what] ?? []
  return ownsSecret(event.what, actorOf(event)) || known.some(name => scene.packages.has(name))
}

/** Reads that somebody must have written down on purpose. Looking up one host in `.netrc` is what any client may do. */
export function secretsRead(scene: Scene): Seen[] {
  return eventsOf(scene, undefined, 'bait-read').filter(
    event => event.what !== 'netrc' && !isExplained(scene, event),
  )
}

export const secretRules: readonly Rule[] = [
  {
    id: 'bait-left',
    version: 1,
    level: 'confirmed',
    reason: 'A planted secret was in data that left the machine.',
    test: scene =>
      sightingsOf(
        eventsOf(scene, undefined, 'bait-left').filter(event => !staysHere(event)),
        isForItsService,
      ),
  },
  {
    id: 'secret-and-network',
    version: 1,
    level: 'suspicious',
    reason: 'A planted secret was read, and the same task reached for the network.',
    test: scene => {
      const read = secretsRead(scene)
      return byTask([...read, ...eventsOf(scene).filter(isOutward)]).flatMap(([, events]) => {
        const kinds = new Set(events.map(event => event.kind === 'bait-read'))
        return kinds.size < 2
          ? []
          : sightingsOf(events, event => (event.phase === 'unittest' ? !scene.autoloads : isTests(event)))
      })
    },
  },
  {
    id: 'secret-read',
    version: 1,
    level: 'observed',
    reason: 'A planted secret was opened.',
    test: scene => sightingsOf(eventsOf(scene, undefined, 'bait-read')),
  },
]
