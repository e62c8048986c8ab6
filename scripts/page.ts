// docs/verify.html: one file that checks a report bundle in a browser, with the code of `pyti verify`.
// Run it after every change of that code: npm run page
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'

const root = dirname(import.meta.dirname)
const web = (name: string) => join(root, 'web', name)

export const pagePath = 'docs/verify.html'

/** What is replaced in the page by less code; each file says why. */
const standIns: Record<string, string> = {
  zod: web('zod.ts'),
  'node:crypto': web('node-crypto.ts'),
  uint8arrays: web('uint8arrays.ts'),
}

/** What rules say to people is no part of an evaluation, and the page prints none of it: a kilobyte less. */
const reasonLine = /^ +reason:\s+(['"]).*\1,$/gm

/** The page and the script in it, the same bytes for the same sources. */
export async function buildPage(): Promise<{ html: string; script: string }> {
  const [script, template, style] = await Promise.all([
    bundle({ entryPoints: [web('page.ts')], format: 'iife' }),
    readFile(web('template.html'), 'utf8'),
    readFile(web('style.css'), 'utf8'),
  ])
  if (/<\/script|<!--/i.test(script)) throw new Error('the script holds what would end it in HTML')
  const policy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(style)}'`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ')
  const parts: Record<string, string> = { POLICY: policy, '/* style */': style, '/* script */': script }
  const html = template.replace(/POLICY|\/\* (?:style|script) \*\//g, place => parts[place] ?? '')
  return { html, script }
}

/**
 * Code of ours made fit for a browser in the way the page is: for tests that compare it with the code as it is.
 * @param source a module; in the form `iife` its exports become the constant `bundled`
 */
export function bundleSource(source: string, format: 'esm' | 'iife'): Promise<string> {
  return bundle({ stdin: { contents: source, resolveDir: root }, format, globalName: 'bundled' })
}

async function bundle(options: BuildOptions): Promise<string> {
  const { outputFiles } = await build({
    ...options,
    absWorkingDir: root,
    bundle: true,
    minify: true,
    write: false,
    platform: 'browser',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'silent',
    plugins: [
      {
        name: 'stand-ins',
        setup({ onResolve, onLoad }) {
          onLoad({ filter: /\/src\/report\/rules\/[^/]+\.ts$/ }, async ({ path }) => ({
            contents: (await readFile(path, 'utf8')).replace(reasonLine, "reason: '',"),
            loader: 'ts',
          }))
          const exactly = Object.keys(standIns).map(name => name.replace(/[/:]/g, '\\$&'))
          onResolve({ filter: new RegExp(`^(?:${exactly.join('|')})$`) }, ({ path }) => {
            const standIn = standIns[path]
            return standIn === undefined ? undefined : { path: standIn }
          })
        },
      },
    ],
  })
  const [file] = outputFiles ?? []
  if (!file) throw new Error('esbuild wrote nothing')
  return file.text.trimEnd()
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}

if (import.meta.main) {
  const { html } = await buildPage()
  await writeFile(join(root, pagePath), html)
}
