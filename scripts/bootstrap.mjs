// Runs on whatever Node >= 20 a machine has, before anything is installed: npm packages (which bring Node 24), then the
// Debian packages the sandbox needs, then the real program. Plain JavaScript for that reason.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const node = join(root, 'node_modules/.bin/node')
const say = line => process.stderr.write(`pyti set-up: ${line}\n`)

function fail(message, hint) {
  say(`${message}\n  -> ${hint}`)
  process.exit(3)
}

/** Runs a set-up step; its output is shown only when it fails, a sign of life every 15 s meanwhile. */
function step(name, command, args, options = {}) {
  return new Promise(resolve => {
    say(`${name} ...`)
    const started = Date.now()
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options })
    let output = ''
    const keep = chunk => {
      output = (output + chunk).slice(-2000)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    const seconds = () => Math.round((Date.now() - started) / 1000)
    const life = setInterval(() => say(`${name}: ${seconds()} s so far`), 15_000)
    const end = (code, text) => {
      clearInterval(life)
      if (code === 0) say(`${name}: done in ${seconds()} s`)
      resolve({ code, output: text })
    }
    child.on('error', error => end(1, String(error)))
    child.on('close', code => end(code ?? 1, output))
  })
}

async function installNpmPackages() {
  const stamp = join(root, 'node_modules/.package-lock.json')
  const current =
    existsSync(stamp) &&
    existsSync(node) &&
    statSync(stamp).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs
  if (current) return
  // Not `npm ci`: it refuses a lock file without the optional packages of other platforms, which some registries lack.
  const { code, output } = await step('installing npm packages', 'npm', [
    'install',
    '--no-save',
    '--no-audit',
    '--no-fund',
  ])
  if (code !== 0)
    fail(`npm install failed:\n${output}`, 'check that npm reaches its registry, then run the command again')
  if (!existsSync(node) || spawnSync(node, ['--version']).status !== 0)
    fail(
      'the npm package "node" brought no Node 24',
      'allow install scripts for it (`npm config set ignore-scripts false`) or put Node >= 22 on PATH',
    )
}

/** What must be on the machine, by the program that proves it, and the Debian package that brings it. */
const tools = [
  { program: 'bwrap', debian: 'bubblewrap' },
  { program: 'mmdebstrap', debian: 'mmdebstrap' },
  { program: 'mksquashfs', debian: 'squashfs-tools' },
  { program: 'xz', debian: 'xz-utils' },
  { program: 'taskset', debian: 'util-linux' },
  { program: 'python3', args: ['-m', 'pip', '--version'], debian: 'python3-pip' },
]
const forRootless = { program: 'newuidmap', debian: 'uidmap' }
const forTests = [
  { program: 'qemu-system-x86_64', debian: 'qemu-system-x86' },
  { program: 'openssl', debian: 'openssl' },
  { program: 'ssh-keygen', debian: 'openssh-client' },
  { program: 'go', debian: 'golang-go' },
  { program: 'chromium', debian: 'chromium' },
]

async function installDebianPackages(forTesting) {
  const isRoot = process.getuid?.() === 0
  const wanted = [...tools, ...(isRoot ? [] : [forRootless]), ...(forTesting ? forTests : [])]
  const has = ({ program, args }) =>
    `${process.env.PATH}:/usr/sbin:/sbin`.split(':').some(folder => existsSync(join(folder, program))) &&
    (!args || spawnSync(program, args).status === 0)
  const missing = wanted.filter(tool => !has(tool)).map(tool => tool.debian)
  if (missing.length === 0) return
  const line = `apt-get install --no-install-recommends ${missing.join(' ')}`
  if (!existsSync('/usr/bin/apt-get'))
    fail(
      `missing programs: ${missing.join(', ')} (names of Debian packages)`,
      'install them with your package manager',
    )
  const sudo = isRoot ? [] : ['sudo', '-n']
  if (!isRoot && spawnSync('sudo', ['-n', 'true']).status !== 0)
    fail(`missing: ${missing.join(', ')}`, `run \`sudo ${line}\`, then this command again`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = (name, args) => {
    const [command, ...rest] = [...sudo, 'apt-get', ...args]
    return step(name, command, rest, { env })
  }
  await apt('refreshing the Debian package lists', ['update', '-qq'])
  const { code, output } = await apt(`installing Debian packages ${missing.join(' ')}`, [
    'install',
    '-y',
    '-qq',
    '--no-install-recommends',
    ...missing,
  ])
  if (code !== 0) fail(`apt-get failed:\n${output}`, `run \`${line}\` yourself, then this command again`)
}

const [mode, ...args] = process.argv.slice(2)
await installNpmPackages()
await installDebianPackages(mode === 'test')
const program =
  mode === 'test'
    ? [join(root, 'scripts/test.ts'), ...args]
    : [join(root, 'src/cli/main.ts'), ...(mode === 'cli' ? args : [mode, ...args])]
const child = spawn(node, program, { cwd: mode === 'cli' ? process.cwd() : root, stdio: 'inherit' })
// Ctrl-C reaches the child by itself; it cleans up and this process waits for it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => signal !== 'SIGINT' && child.kill(signal))
child.on('close', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
