import { type Lane, stages } from './waterfall-lanes.ts'

const [width, left, right] = [960, 112, 16]
const [laneHeight, laneGap, top] = [26, 8, 46]
const [legendColumn, legendRow] = [212, 20]
/** Of the 11 px font below, about; a label that would not fit is left to the legend. */
const characterWidth = 6.1
/** A stage has the same colour in every picture. White text can be read on all of them. */
const colours: Record<string, string> = {
  [stages.program]: '#57606a',
  [stages.serving]: '#49536b',
  [stages.image]: '#3b5bdb',
  [stages.target]: '#0550ae',
  [stages.backend]: '#006d77',
  [stages.uv]: '#5c4d7d',
  [stages.nodes]: '#6e4a2f',
  [stages.submitting]: '#7a4b8c',
  [stages.volunteers]: '#6e7781',
  [stages.lease]: '#8c6d1f',
  fetching: '#0969da',
  resolving: '#6639ba',
  [stages.cpu]: '#82071e',
  booting: '#bc4c00',
  'setting up': '#953800',
  build: '#1a7f37',
  install: '#116329',
  import: '#4d6b1e',
  unittest: '#1b7c83',
  quality: '#2f6f4f',
  [stages.after]: '#424a53',
  ending: '#8250df',
  submitting: '#9a4fb8',
  [stages.report]: '#bf3989',
  [stages.stopping]: '#8a4600',
}

/** A picture of lanes over time: readable on light and dark pages, the same bytes for the same lanes. */
export function drawWaterfall(title: string, lanes: readonly Lane[], endMs: number): string {
  const present = new Set(lanes.flatMap(lane => lane.segments.map(segment => segment.stage)))
  const names = [...new Set([...Object.keys(colours), ...present])].filter(name => present.has(name))
  const colourOf = (stage: string) => colours[stage] ?? '#1f2328'
  const scale = (width - left - right) / endMs
  const x = (ms: number) => (left + ms * scale).toFixed(1)
  const bottom = top + lanes.length * (laneHeight + laneGap)
  const columns = Math.floor((width - 2 * right) / legendColumn)
  const height = bottom + 30 + Math.ceil(names.length / columns) * legendRow + 8
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="11">`,
    '<style>.page{fill:#fff}.ink{fill:#1f2328}.line{stroke:#d0d7de}.bar{fill:#fff}@media(prefers-color-scheme:dark){.page{fill:#0d1117}.ink{fill:#e6edf3}.line{stroke:#30363d}}</style>',
    `<rect class="page" width="${width}" height="${height}" rx="6"/>`,
    `<text class="ink" x="${right}" y="22" font-size="14" font-weight="600">${escaped(title)}</text>`,
    ...axis(endMs, x, bottom),
  ]
  for (const [index, lane] of lanes.entries()) {
    const y = top + index * (laneHeight + laneGap)
    parts.push(`<text class="ink" x="${right}" y="${y + 17}">${escaped(lane.name)}</text>`)
    for (const { stage, from, to } of lane.segments) {
      const wide = (to - from) * scale
      const seconds = `${((to - from) / 1000).toFixed(2)} s`
      parts.push(
        `<rect x="${x(from)}" y="${y}" width="${Math.max(wide, 0.5).toFixed(1)}" height="${laneHeight}" fill="${colourOf(stage)}"><title>${escaped(stage)}: ${seconds}</title></rect>`,
      )
      const label = [`${stage} ${seconds}`, stage].find(text => text.length * characterWidth + 8 < wide)
      if (label)
        parts.push(
          `<text class="bar" x="${(left + from * scale + 4).toFixed(1)}" y="${y + 17}">${escaped(label)}</text>`,
        )
    }
  }
  for (const [index, stage] of names.entries()) {
    const cx = right + (index % columns) * legendColumn
    const cy = bottom + 26 + Math.floor(index / columns) * legendRow
    parts.push(
      `<rect x="${cx}" y="${cy}" width="12" height="12" rx="2" fill="${colourOf(stage)}"/>`,
      `<text class="ink" x="${cx + 18}" y="${cy + 10}">${escaped(stage)}</text>`,
    )
  }
  return `${[...parts, '</svg>'].join('\n')}\n`
}

function axis(endMs: number, x: (ms: number) => string, bottom: number): string[] {
  const seconds = endMs / 1000
  const step =
    [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find(size => seconds / size <= 14) ?? 2000
  const parts: string[] = []
  for (let tick = 0; tick * step <= seconds; tick++) {
    const at = x(tick * step * 1000)
    const label = Number((tick * step).toFixed(1))
    parts.push(
      `<line class="line" x1="${at}" x2="${at}" y1="${top - 6}" y2="${bottom}"/>`,
      `<text class="ink" x="${at}" y="${bottom + 12}" text-anchor="middle">${label}${tick === 0 ? ' s' : ''}</text>`,
    )
  }
  return parts
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
