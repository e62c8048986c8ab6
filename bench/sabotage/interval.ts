/** An estimate and its 95 % interval. */
export interface Estimate {
  value: number
  low: number
  high: number
}

const z = 1.959964

/** Wilson score interval of `hits` in `of` trials; it stays honest at 0 hits, where the normal one has no width. */
export function wilson(hits: number, of: number): Estimate {
  if (of === 0) return { value: Number.NaN, low: 0, high: 1 }
  const share = hits / of
  const scale = 1 + z ** 2 / of
  const middle = (share + z ** 2 / (2 * of)) / scale
  const half = (z / scale) * Math.sqrt((share * (1 - share)) / of + z ** 2 / (4 * of ** 2))
  return {
    value: share,
    low: hits === 0 ? 0 : Math.max(0, middle - half),
    high: hits === of ? 1 : middle + half,
  }
}

/** Running mean with the normal interval (Welford). */
export interface Mean {
  add(value: number): void
  estimate(): Estimate
}

export function createMean(): Mean {
  let [count, mean, squares] = [0, 0, 0]
  return {
    add(value) {
      count++
      const before = value - mean
      mean += before / count
      squares += before * (value - mean)
    },
    estimate() {
      if (count === 0) return { value: Number.NaN, low: Number.NaN, high: Number.NaN }
      const half = count > 1 ? z * Math.sqrt(squares / (count - 1) / count) : 0
      return { value: mean, low: mean - half, high: mean + half }
    },
  }
}
