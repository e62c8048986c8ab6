import { access, constants, readFile, statfs } from 'node:fs/promises'
import { availableParallelism, freemem, totalmem } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { messageOf } from '../../errors.ts'
import { silentLogger } from '../../logger.ts'
import { findIndex } from '../../pypi/pip-config.ts'
import { redactUrl } from '../../pypi/redact.ts'
import { drivers, type Probe, probeBackend } from '../../sandbox/backends.ts'
import { describeHostCgroup } from '../../sandbox/host-cgroup.ts'
import { readMapCount, usualMapCount } from '../../sandbox/map-count.ts'
import { findUv } from '../host-tools.ts'
import { ensureImage } from '../image.ts'
import { jsonOption } from '../options.ts'
import { exitCodes, note, print, printJson } from '../output.ts'
import { findPaths, type Paths } from '../paths.ts'
import { shutdownSignal } from '../shutdown.ts'

interface Finding {
  what: string
  ok: boolean
  detail: string
  fix?: string
}

const programs: [program: string, debian: string, why: string][] = [
  ['bwrap', 'bubblewrap', 'the jail around every VM'],
  ['taskset', 'util-linux', 'pins a VM to one CPU'],
  ['prlimit', 'util-linux', 'limits a VM on the host'],
  ['setpriv', 'util-linux', 'ends a VM with the process that started it'],
  ['ionice', 'util-linux', 'lets a VM wait for the disk behind everybody else'],
  ['mmdebstrap', 'mmdebstrap', 'builds the guest image'],
  ['mksquashfs', 'squashfs-tools', 'builds the guest image'],
  ['xz', 'xz-utils', 'builds the guest image'],
  ['python3', 'python3-pip', 'tells which index pip is configured with'],
]

export function doctorCommand(): Command {
  return new Command('doctor')
    .summary('what this machine can do, and how to fix each lack')
    .description(
      'Checks programs, limits, the index and every VM backend; a backend counts only after a probe boot has succeeded. Exit code 3 when this machine cannot run jobs.',
    )
    .addOption(jsonOption())
    .addHelpText('after', '\nExamples:\n  pyti doctor\n  pyti doctor --json')
    .action(async (flags: { json?: boolean }) => {
      const signal = shutdownSignal()
      const paths = findPaths()
      const findings = [
        ...(await checkPrograms()),
        await checkUserNamespaces(),
        await checkMappings(),
        { what: 'control groups', ok: true, detail: await describeHostCgroup() },
        ...(await checkResources(paths)),
        ...(await checkIndex(paths, signal)),
      ]
      const probes = await probeAll(paths, signal, flags.json === true)
      const able = probes.some(probe => probe.works)
      if (flags.json) printJson({ schema: 'pyti.doctor/1', able, findings, backends: probes })
      else show(findings, probes, able)
      process.exitCode = able ? exitCodes.ok : exitCodes.machine
    })
}

async function checkPrograms(): Promise<Finding[]> {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']
  const has = async (program: string) => {
    for (const folder of folders)
      if (
        await access(join(folder, program), constants.X_OK).then(
          () => true,
          () => false,
        )
      )
        return true
    return false
  }
  return Promise.all(
    programs.map(async ([program, debian, why]) => {
      const ok = await has(program)
      return { what: program, ok, detail: why, ...(!ok && { fix: `apt-get install ${debian}` }) }
    }),
  )
}

async function checkUserNamespaces(): Promise<Finding> {
  const read = async (name: string) => (await readFile(`/proc/sys/${name}`, 'utf8').catch(() => '')).trim()
  if ((await read('user/max_user_namespaces')) === '0')
    return {
      what: 'user namespaces',
      ok: false,
      detail: 'switched off',
      fix: 'sysctl user.max_user_namespaces=10000',
    }
  if ((await read('kernel/unprivileged_userns_clone')) === '0')
    return {
      what: 'user namespaces',
      ok: false,
      detail: 'not for unprivileged users',
      fix: 'sysctl kernel.unprivileged_userns_clone=1',
    }
  if ((await read('kernel/apparmor_restrict_unprivileged_userns')) === '1')
    return {
      what: 'user namespaces',
      ok: false,
      detail: 'restricted by AppArmor',
      fix: 'give bwrap an AppArmor profile with `userns,`, or sysctl kernel.apparmor_restrict_unprivileged_userns=0',
    }
  return { what: 'user namespaces', ok: true, detail: 'unprivileged users may make them' }
}

async function checkMappings(): Promise<Finding> {
  const count = await readMapCount()
  const ok = count >= usualMapCount || process.getuid?.() === 0
  return {
    what: 'memory mappings',
    ok,
    detail: `${count} for a process (vm.max_map_count); the uml backend wants ${usualMapCount}${count < usualMapCount && ok ? ' and sets it itself' : ''}`,
    ...(!ok && {
      fix: `sysctl vm.max_map_count=${usualMapCount}, or packages with large processes are left to others`,
    }),
  }
}

async function checkResources(paths: Paths): Promise<Finding[]> {
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`
  const disk = await statfs(paths.cache).catch(() => statfs('/'))
  const free = disk.bavail * disk.bsize
  return [
    { what: 'CPUs', ok: true, detail: String(availableParallelism()) },
    {
      what: 'memory',
      ok: totalmem() > 3e9,
      detail: `${gigabytes(freemem())} free of ${gigabytes(totalmem())}`,
      ...(totalmem() <= 3e9 && { fix: 'one VM wants 2.2 GB' }),
    },
    {
      what: 'disk',
      ok: free > 4e9,
      detail: `${gigabytes(free)} free at ${paths.cache}`,
      ...(free <= 4e9 && { fix: 'free some space or set PYTI_HOME to a larger disk' }),
    },
  ]
}

async function checkIndex(paths: Paths, signal: AbortSignal): Promise<Finding[]> {
  try {
    const index = await findIndex({ env: process.env })
    const found: Finding = { what: 'index', ok: true, detail: `${redactUrl(index.url)} (${index.source})` }
    const uv = await findUv(paths, silentLogger, signal).then(
      path => ({ what: 'uv', ok: true, detail: path }),
      error => ({
        what: 'uv',
        ok: false,
        detail: messageOf(error),
        fix: 'make the index reachable, or set PIP_INDEX_URL',
      }),
    )
    return [found, uv]
  } catch (error) {
    return [
      {
        what: 'index',
        ok: false,
        detail: messageOf(error),
        fix: 'apt-get install python3-pip, or set PIP_INDEX_URL',
      },
    ]
  }
}

async function probeAll(paths: Paths, signal: AbortSignal, quiet: boolean): Promise<Probe[]> {
  try {
    const image = await ensureImage(paths, { signal, quiet })
    const probes: Probe[] = []
    for (const driver of drivers) {
      if (!quiet) note(`probe boot on ${driver.backend} ...`)
      probes.push(await probeBackend(driver, { image, runDir: paths.run, cacheDir: paths.probes, signal }))
    }
    return probes
  } catch (error) {
    signal.throwIfAborted()
    return drivers.map(({ backend }) => ({
      backend,
      works: false,
      detail: `no guest image: ${messageOf(error)}`,
    }))
  }
}

function show(findings: Finding[], probes: Probe[], able: boolean): void {
  for (const { what, ok, detail, fix } of findings)
    print(`${ok ? 'ok  ' : 'LACK'}  ${what.padEnd(16)} ${detail}${fix ? `\n      -> ${fix}` : ''}`)
  print()
  for (const { backend, works, detail, bootMilliseconds } of probes)
    print(
      `${works ? 'ok  ' : 'no  '}  backend ${backend.padEnd(8)} ${detail}${bootMilliseconds === undefined ? '' : `, ready in ${bootMilliseconds} ms`}`,
    )
  print()
  const [first, ...others] = probes.filter(probe => probe.works).map(probe => probe.backend)
  const onDemand = others.length > 0 ? `, and ${others.join(' or ')} for jobs that demand it` : ''
  print(
    able
      ? `This machine can run jobs; it would use ${first}${onDemand}.`
      : 'This machine cannot run jobs: no backend boots.',
  )
}
