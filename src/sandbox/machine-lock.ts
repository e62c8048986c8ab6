import { createServer } from 'node:net'

/**
 * Takes a name that one process of this machine can have at a time, by listening on an abstract socket (unix(7)): the
 * kernel gives it back when that process dies in whatever way.
 * @returns a function that gives it back; undefined when somebody else has the name
 */
export function takeName(name: string): Promise<(() => Promise<void>) | undefined> {
  return new Promise((resolve, reject) => {
    const server = createServer(socket => socket.destroy())
    server.once('error', (error: NodeJS.ErrnoException) =>
      error.code === 'EADDRINUSE' ? resolve(undefined) : reject(error),
    )
    server.listen(`\0pyti-${name}`, () => resolve(() => new Promise(done => server.close(() => done()))))
    server.unref()
  })
}
