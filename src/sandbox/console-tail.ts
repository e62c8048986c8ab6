const keptBytes = 16_384
const keptLines = 60
const lineLength = 300

/** The end of what a VM's console printed. Memory is bounded however much comes; a terminal may show the text. */
export class ConsoleTail {
  #tail: Buffer = Buffer.alloc(0)

  add(chunk: Uint8Array): void {
    const joined = Buffer.concat([this.#tail, chunk.subarray(-keptBytes)])
    // A copy: a view would keep all of `joined` alive.
    this.#tail = Buffer.from(joined.subarray(-keptBytes))
  }

  /** Whole and begun lines, oldest first; what is not printable ASCII is shown as `?`. */
  lines(): string[] {
    return this.#tail
      .toString('latin1')
      .split(/[\r\n]+/)
      .map(line =>
        line
          .replaceAll('\t', ' ')
          .replaceAll(/[^ -~]/g, '?')
          .slice(0, lineLength),
      )
      .filter(line => line.trim() !== '')
      .slice(-keptLines)
  }

  text(): string {
    return this.lines().join('\n')
  }
}
