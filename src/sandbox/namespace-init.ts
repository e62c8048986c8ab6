import { readFile } from 'node:fs/promises'
import { kill } from 'node:process'
import type { Readable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'

const pollMs = 2
/** bubblewrap's own end takes it along; after this long it is told again. */
const patienceMs = 1_000
const infoBytes = 4_096

/**
 * Process 1 of a jail's process namespace. The kernel lets it end only after it has ended every other process of the
 * namespace (pid_namespaces(7)): when it is gone the namespace is empty.
 */
export class NamespaceInit {
  readonly #pid: number
  /** Tells it from a later process with the same number. */
  readonly #startTime: string

  private constructor(pid: number, startTime: string) {
    this.#pid = pid
    this.#startTime = startTime
  }

  /** From what bubblewrap writes to `--info-fd`. @returns undefined when there is none, or no more */
  static async read(info: Readable): Promise<NamespaceInit | undefined> {
    let text = ''
    try {
      for await (const chunk of info) {
        text += String(chunk)
        if (text.includes('}') || text.length > infoBytes) break
      }
    } catch {
      return undefined
    }
    const pid = Number(/"child-pid":\s*(\d+)/.exec(text)?.[1] ?? 0)
    const state = pid > 1 ? await stateOf(pid) : undefined
    return state && new NamespaceInit(pid, state.startTime)
  }

  kill(): void {
    void this.#isThere().then(there => {
      if (there) signal(this.#pid)
    })
  }

  /** Resolves when the namespace is empty. */
  async gone(): Promise<void> {
    let patience = performance.now() + patienceMs
    while (await this.#isThere()) {
      if (performance.now() > patience) {
        signal(this.#pid)
        patience += patienceMs
      }
      await setTimeout(pollMs)
    }
  }

  async #isThere(): Promise<boolean> {
    const state = await stateOf(this.#pid)
    return state !== undefined && state.letter !== 'Z' && state.startTime === this.#startTime
  }
}

function signal(pid: number): void {
  try {
    kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

async function stateOf(pid: number): Promise<{ letter: string; startTime: string } | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // `PID (NAME) STATE PPID ...`, and the name may hold anything (proc(5)); the start time is field 22.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  const [letter, startTime] = [fields?.[0], fields?.[19]]
  return letter && startTime ? { letter, startTime } : undefined
}
