import assert from 'node:assert/strict'
import { statSync } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { digestFile } from '../../src/digest-file.ts'
import type { ReadyVm } from '../../src/sandbox/ready-vm.ts'
import { sha256 } from '../../src/wire/canonical.ts'
import { imageParts } from '../../src/wire/image.ts'
import { limits } from '../../src/wire/limits.ts'
import { onEveryBackend } from '../helpers/hostile-backends.ts'
import { mostHostProcesses, pressureText, slowestProgramMs, watchHost } from '../helpers/hostile-pressure.ts'
import { answerOf, attack } from '../helpers/hostile-root.ts'

const refused = /^E[A-Z]+$/

/** Ways to end the machine: [name, source, how User-mode Linux ends, how QEMU ends]. */
const endings: [string, string, [string, string], [string, string]][] = [
  ['power-off', 'libc.reboot(0x4321FEDC)', ['guest-ended', 'clean'], ['guest-ended', 'clean']],
  ['reboot', 'libc.reboot(0x01234567)', ['guest-ended', 'clean'], ['guest-ended', 'clean']],
  // A halted QEMU machine stands still for ever, as real ones do.
  [
    'halt',
    'libc.reboot(ctypes.c_int(0xCDEF0123 - (1 << 32)))',
    ['guest-ended', 'clean'],
    ['guest-timeout', 'timeout'],
  ],
  ['kernel panic', sysrq('c'), ['guest-ended', 'abnormal'], ['guest-ended', 'clean']],
  ['reset by sysrq', sysrq('b'), ['guest-ended', 'clean'], ['guest-ended', 'clean']],
  ['power-off by sysrq', sysrq('o'), ['guest-ended', 'clean'], ['guest-ended', 'clean']],
  ['the end of PID 1', 'os._exit(0)', ['guest-ended', 'abnormal'], ['guest-ended', 'clean']],
  [
    'a segmentation fault of PID 1',
    'ctypes.string_at(0)',
    ['guest-ended', 'abnormal'],
    ['guest-ended', 'clean'],
  ],
]

function sysrq(key: string): string {
  return `open("/proc/sysrq-trigger", "w").write("${key}")\ntime.sleep(1000)`
}

onEveryBackend(
  'root of the guest ends or exhausts the machine',
  (arena, test) => {
    for (const [name, source, uml, qemu] of endings)
      test(name, async () => {
        const fall = await attack(arena, source, { wallSeconds: 2 })
        assert.deepEqual([fall.code, fall.exit], arena.backend === 'uml' ? uml : qemu)
      })

    const bombs: [string, string][] = [
      ['fork bomb', 'while True:\n  try: os.fork()\n  except OSError: pass'],
      [
        'fork bomb in new sessions, all signals blocked',
        'import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\nwhile True:\n  try:\n    if os.fork() == 0: os.setsid()\n  except OSError: pass',
      ],
      ['memory bomb', 'held = []\nwhile True: held.append(bytearray(b"x") * (4 << 20))'],
      [
        'memory bomb in many processes',
        'while os.fork(): time.sleep(0.02)\nheld = []\nwhile True: held.append(bytearray(b"x") * (1 << 20))',
      ],
    ]
    for (const [name, source] of bombs)
      test(name, async context => {
        let watch: ReturnType<typeof watchHost> | undefined
        const fall = await attack(arena, source, {
          wallSeconds: 2,
          onBegin: (_ready, trail) => {
            watch = watchHost(trail)
          },
        })
        assert.ok(watch)
        const pressure = await watch.stop()
        context.diagnostic(`${arena.backend}: ${pressureText(pressure)}; ${fall.code}, ${fall.exit}`)
        // The guest may panic, or turn in circles until its time is up.
        const ends = { 'guest-timeout': ['timeout'], 'guest-ended': ['clean', 'abnormal'] }[fall.code]
        assert.ok(ends?.includes(fall.exit ?? ''), `${fall.code} ${JSON.stringify(fall.error?.details)}`)
        assert.ok(pressure.processes <= mostHostProcesses, `${pressure.processes} processes`)
        assert.ok(pressure.p99 < slowestProgramMs, pressureText(pressure))
      })
  },
  'long',
)

onEveryBackend('root of the guest reaches for the host', (arena, test) => {
  // The host's part of hostfs needs a system call that the jail of User-mode Linux does not know (statx).
  for (const path of arena.backend === 'uml' ? ['/', '', '../../../etc', '/nowhere/../..'] : ['/'])
    test(`hostfs cannot be mounted, not even as ${JSON.stringify(path)}`, async () => {
      const fall = await attack(
        arena,
        `
results = {}
call(results, "option", lambda: mount("none", "/mnt", "hostfs", 0, ${JSON.stringify(path)}))
call(results, "source", lambda: mount(${JSON.stringify(path)}, "/mnt", "hostfs"))
host.answer(results)
`,
      )
      if (arena.backend === 'uml' && fall.code === 'guest-ended')
        return assert.equal(fall.exit, 'sandbox-violation')
      assert.equal(fall.code, 'answered', JSON.stringify(fall.error?.details))
      const results = JSON.parse(fall.items.get('guest.json')?.toString() ?? '')
      for (const way of ['option', 'source']) assert.match(String(results[way]), refused)
    })

  test('no file system of another hypervisor can be mounted', async () => {
    const results = await answerOf(
      arena,
      `
results = {}
for kind in ("9p", "virtiofs", "vboxsf", "nfs", "nfs4", "cifs", "fuse", "hppfs"):
    for source in ("host", "hostshare", "/", "mount_tag", "127.0.0.1:/"):
        call(results, f"{kind} {source}", lambda: mount(source, "/mnt", kind, 0, "trans=virtio"))
host.answer(results)
`,
    )
    assert.equal(Object.keys(results).length, 40)
    for (const [name, result] of Object.entries(results)) assert.match(String(result), refused, name)
  })

  test('modules: garbage is refused, real ones open no way out', async () => {
    const results = await answerOf(
      arena,
      `
def load(data):
    if libc.syscall(175, data, ctypes.c_ulong(len(data)), b"") != 0:
        raise OSError(ctypes.get_errno(), "init_module")
results = {"real": {}}
for name, data in (("noise", os.urandom(65536)), ("empty", b""), ("elf", b"\\x7fELF" + bytes(4096)), ("text", b"#!/bin/sh\\n" * 100)):
    call(results, name, lambda: load(data))
for kind in os.listdir("/run/pyti/modules"):
    for name in os.listdir(f"/run/pyti/modules/{kind}"):
        if name.endswith(".ko"):
            with open(f"/run/pyti/modules/{kind}/{name}", "rb") as file:
                data = file.read()
            call(results["real"], f"{kind} {name}", lambda: load(data))
            call(results["real"], f"{kind} {name} cut", lambda: load(data[: len(data) // 2]))
host.answer(results)
`,
    )
    for (const name of ['noise', 'empty', 'elf', 'text']) assert.match(String(results[name]), refused)
    const own = arena.backend === 'uml' ? 'uml' : 'qemu'
    const real = Object.entries(results.real as Record<string, string>)
    assert.ok(real.length > 10)
    // Loaded already, or made for another kernel, or broken: nothing new gets in.
    for (const [name, result] of real)
      assert.match(result, refused, `${name}, where the kernel is ${own}: ${result}`)
  })

  test('there is no network but the loopback, and no socket to the host', async () => {
    const results = await answerOf(
      arena,
      `
results = {"interfaces": sorted(os.listdir("/sys/class/net")), "tries": {}}
def reach(family, kind, address):
    with socket.socket(family, kind) as sock:
        sock.settimeout(2)
        sock.connect(address)
        return sock.send(b"x")
for address in (("198.51.100.7", 80), ("10.0.2.2", 22), ("10.0.2.3", 53), ("169.254.169.254", 80), ("255.255.255.255", 67)):
    call(results["tries"], f"tcp {address}", lambda: reach(socket.AF_INET, socket.SOCK_STREAM, address))
    call(results["tries"], f"udp {address}", lambda: reach(socket.AF_INET, socket.SOCK_DGRAM, address))
for cid in (0, 1, 2, 3):
    call(results["tries"], f"vsock {cid}", lambda: reach(40, socket.SOCK_STREAM, (cid, 5000)))
call(results["tries"], "ipv6", lambda: reach(socket.AF_INET6, socket.SOCK_DGRAM, ("2001:db8::7", 53)))
host.answer(results)
`,
    )
    assert.deepEqual(results.interfaces, ['lo'])
    for (const [name, result] of Object.entries(results.tries as object))
      assert.match(String(result), refused, name)
  })

  test('its clock is its own', async () => {
    const before = Date.now() - performance.now()
    const results = await answerOf(
      arena,
      `
for value in (4102444800, 86400 * 400, 2**31):
    time.clock_settime(time.CLOCK_REALTIME, value)
host.answer({"year": time.gmtime().tm_year})
`,
    )
    assert.equal(results.year, 2038)
    assert.ok(Math.abs(Date.now() - performance.now() - before) < 2_000, "the host's clock was moved")
  })

  test('raw writes reach the output disk alone, and never past its end', async () => {
    const { image } = arena.shape('hostile')
    const kept: Awaited<ReturnType<typeof jobDiskNow>>[] = []
    let writtenMs = 0
    let outputDisk = 0
    let touched = 0
    const look = async (ready: ReadyVm) => {
      kept.push(await jobDiskNow(ready))
      const output = await stat(ready.outputDisk)
      outputDisk = output.size
      touched = output.blocks * 512
      assert.equal((await stat(ready.jobDisk)).mtimeMs, writtenMs, 'nothing wrote to the job disk')
    }
    const results = await answerOf(
      arena,
      `
results = {"disks": sorted(os.listdir("/sys/block")), "base": {}, "job": {}, "output": {}}
BLKROSET, BLKDISCARD = 0x125D, 0x1277
junk = os.urandom(1 << 16)
def write_at(path, at):
    descriptor = os.open(path, os.O_WRONLY | os.O_SYNC)
    try:
        os.lseek(descriptor, at, os.SEEK_SET)
        written = os.write(descriptor, junk)
        os.fsync(descriptor)
        return written
    finally:
        os.close(descriptor)
for name, path in DISKS.items():
    with open(path, "rb") as disk:
        end = disk.seek(0, os.SEEK_END)
        results[name]["bytes"] = end
        call(results[name], "make writable", lambda: fcntl.ioctl(disk, BLKROSET, struct.pack("i", 0)))
    for place, at in (("start", 0), ("middle", end // 2 // 4096 * 4096), ("last", end - len(junk)), ("end", end), ("beyond", end + (1 << 30)), ("far", 1 << 42)):
        call(results[name], place, lambda: write_at(path, at))
    call(results[name], "mount over", lambda: mount(path, "/mnt", "squashfs"))
    call(results[name], "remount", lambda: mount(path, "/mnt", "squashfs", 32))
    call(results[name], "write below", lambda: open("/mnt/usr/pyti-was-here", "w").close())
with open(DISKS["output"], "wb", buffering=0) as disk:
    try:
        while True:
            disk.write(junk)
    except OSError as error:
        results["output"]["filled"] = errno.errorcode[error.errno]
os.sync()
host.answer(results)
`,
      {
        wallSeconds: 20,
        onBegin: ready => {
          writtenMs = statSync(ready.jobDisk).mtimeMs
        },
        inspect: look,
      },
    )
    const { base, job, output } = results as Record<string, Record<string, unknown>>
    assert.ok(base && job && output)
    for (const [name, disk] of Object.entries({ base, job }))
      for (const place of ['start', 'middle', 'last', 'end', 'beyond', 'far', 'write below'])
        assert.match(String(disk[place]), refused, `${name} ${place}`)
    for (const place of ['start', 'middle', 'last'])
      assert.equal(output[place], 'done 65536', `output ${place}`)
    for (const place of ['end', 'beyond', 'far', 'filled'])
      assert.match(String(output[place]), refused, place)
    assert.equal(output.bytes, limits.guestOutputBytes)
    assert.equal(outputDisk, limits.guestOutputBytes)
    assert.ok(touched <= limits.guestOutputBytes + (1 << 20), `${touched} bytes on the host`)
    assert.equal(job.bytes, limits.jobDiskBytes)
    for (const now of kept) {
      assert.equal(now.size, limits.jobDiskBytes)
      assert.match(now.start, /^PYTIJOB1/)
    }
    for (const part of imageParts)
      assert.equal(
        await digestFile(image.path(part)),
        image.manifest.parts[part].sha256,
        `${part} is unchanged`,
      )
    const drives = (results.disks as string[]).filter(name => /^(?:ubd|vd|sd|hd|nvme|sr|fd)/.test(name))
    assert.equal(drives.length, 3, `disks: ${drives}`)
  })

  test('memory and port devices: only the guest itself can be hurt', async () => {
    const fall = await attack(
      arena,
      `
import random
for name, minor in (("mem", 1), ("kmem", 2), ("port", 4), ("kmsg", 11)):
    if not os.path.exists(f"/dev/{name}"):
        call({}, name, lambda: os.mknod(f"/dev/{name}", stat.S_IFCHR | 0o600, os.makedev(1, minor)))
def smash(path):
    with open(path, "r+b", buffering=0) as file:
        for _ in range(2000):
            file.seek(random.randrange(0, 1 << 29))
            file.write(os.urandom(64))
for name in ("kmsg", "kmem", "port", "mem"):
    call({}, name, lambda: smash(f"/dev/{name}"))
host.answer({})
`,
      { wallSeconds: 3 },
    )
    const ends = ['answered', 'guest-ended', 'guest-timeout', 'bad-frame', 'output-too-large']
    assert.ok(ends.includes(fall.code), `${fall.code} ${JSON.stringify(fall.error?.details)}`)
    assert.ok(!['oom', 'sandbox-violation'].includes(fall.exit ?? ''), `${fall.exit}`)
  })

  test('noise on every character device, the channel among them: a bad frame', async () => {
    const fall = await attack(
      arena,
      `
junk = b"\\xff" * 512
for folder, _, names in os.walk("/dev"):
    for name in names:
        path = os.path.join(folder, name)
        if not stat.S_ISCHR(os.lstat(path).st_mode) or name in ("mem", "kmem", "port", "watchdog", "watchdog0"):
            continue
        def write():
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY)
            try:
                return os.write(descriptor, junk)
            finally:
                os.close(descriptor)
        call({}, path, write)
# A virtio port has one user at a time: the agent's own descriptor.
host.raw(junk)
time.sleep(1000)
`,
      { wallSeconds: 5 },
    )
    assert.deepEqual([fall.code, fall.exit], ['bad-frame', 'killed'])
  })
})

async function jobDiskNow(ready: ReadyVm): Promise<{ size: number; start: string; digest: string }> {
  const disk = await open(ready.jobDisk, 'r')
  try {
    const start = Buffer.alloc(1 << 20)
    await disk.read(start, 0, start.length, 0)
    return {
      size: (await disk.stat()).size,
      start: start.toString('latin1', 0, 8),
      digest: sha256(start),
    }
  } finally {
    await disk.close()
  }
}
