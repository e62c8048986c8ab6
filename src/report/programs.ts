import type { Seen } from './events.ts'

/** Compilers and what they start. */
const compiling =
  /^(?:cc|c\+\+|[\w.-]*(?:gcc|g\+\+|clang(?:\+\+)?|gfortran|cpp)(?:-(?:\d+|ar|nm|ranlib))?|cc1|cc1plus|f951|as|ld(?:\.\w+)?|collect2|lto\w*|ar|ranlib|strip|nm|objdump|objcopy|readelf|rustc|nasm|yasm|nvcc|ccache|sccache|pkg-config|pkgconf)$/

/** Build tools, and what configure scripts are made of. */
const building =
  /^(?:cmake|ctest|ninja|make|gmake|meson|cargo|rustup|go|swig|cython|cythonize|bison|flex|yacc|lex|m4|auto\w+|libtool|configure|config\.\w+|patchelf|maturin|install|mkdir|rmdir|cp|mv|rm|ln|sed|[gm]?awk|[ef]?grep|expr|sort|tr|cut|head|tail|cat|touch|chmod|basename|dirname|ls|tar|gzip|cmp|diff|printf|hostname)$/

/** They say something about the machine or a file and change nothing. */
const asking =
  /^(?:uname|arch|ldconfig|ldd|lsb_release|lscpu|nproc|getconf|which|whereis|locale|tty|stty|tput|sysctl|sw_vers|nvidia-smi|file|date|true|false|echo|test|\[|git|hg|svn|dpkg|dpkg-architecture)$/
const versions = /^(?:--?version|-V|version)$/
/** What git and its like bring from or send to elsewhere. */
const talking =
  /^(?:clone|push|pull|fetch|submodule|remote|archive|ls-remote|send-email|daemon|credential|checkout|update)$/

/** How pip asks a build backend; the image's own pip is meant. */
const frontend = /^\/usr\/lib\/python3\/dist-packages\/pip\/_vendor\/pyproject_hooks\//

const shells = /^(?:sh|bash|dash|zsh|ksh)$/
const pythons = /^(?:python|pypy)[\d.]*$/
const debuggers = /^(?:gdb|lldb|strace|ltrace|py-spy|valgrind|rr)$/
const raising = /^(?:sudo|su|doas|pkexec|runuser)$/
/** Programs that bring what a build needs; those are named in its own files. */
const fetching = /^(?:git|cmake|cargo|go|meson|npm|yarn|pnpm|pip|uv)[\d.]*$/
/** Whom a planted secret belongs to: reading its own configuration is what such a program does. */
const owners: Readonly<Record<string, RegExp>> = {
  'ssh-key': /^(?:ssh|scp|sftp|ssh-add|ssh-agent|ssh-keygen)$/,
  'git-credentials': /^(?:git|git-credential-store|git-remote-https?)$/,
  netrc: /^(?:curl|ftp|git|git-remote-https?|pip)[\d.]*$/,
  'npm-token': /^(?:npm|npx|node|yarn|pnpm|corepack)$/,
  'cloud-credentials': /^aws$/,
  'cluster-token': /^(?:kubectl|helm)$/,
  'registry-credentials': /^(?:docker|podman|buildah|skopeo)$/,
  'forge-token': /^gh$/,
}

/** The words of a command line that was quoted for a shell; an open quote ends with the text. */
export function wordsOf(command: string): string[] {
  const parts = command.match(/(?:'[^']*(?:'|$)|"[^"]*(?:"|$)|[^\s'"])+/g) ?? []
  return parts.map(part =>
    part.replace(/'([^']*)(?:'|$)|"([^"]*)(?:"|$)/g, (_, single, double) => single ?? double),
  )
}

/** Last part of a program's path. */
export function nameOf(program = ''): string {
  return program.slice(program.lastIndexOf('/') + 1)
}

/** The program that did something. */
export function actorOf({ by = '' }: Pick<Seen, 'by'>): string {
  return nameOf(wordsOf(by)[0])
}

export const isBuildTool = (name: string) => compiling.test(name) || building.test(name)
export const isDebugger = (name: string) => debuggers.test(name)
export const isFetcher = (name: string) => fetching.test(name)
export const ownsSecret = (bait: string, name: string) => owners[bait]?.test(name) === true

/** Code on a command line that a build tool has an interpreter run: the interpreter is watched like any other. */
export function isBuildersCode(event: Pick<Seen, 'phase' | 'what' | 'by'>): boolean {
  const [program, ...rest] = wordsOf(event.what)
  const isCode = pythons.test(nameOf(program)) && rest.some(word => /^-\w*c$/.test(word))
  return event.phase === 'build' && isCode && isBuildTool(actorOf(event))
}

/** Helpers of Python's own multiprocessing: they end with their parent, a moment later. */
export function isHelper(command: string): boolean {
  const [program, ...rest] = wordsOf(command)
  const code = rest[rest.indexOf('-c') + 1] ?? ''
  return (
    pythons.test(nameOf(program)) &&
    rest.includes('-c') &&
    /^from multiprocessing\.\w+ import \w+; ?\w+\([^;\n]*$/.test(code)
  )
}

/** Whether starting it says nothing: compilers, questions about the machine, work inside the build's folder. */
export function isOrdinary({ phase, what }: Pick<Seen, 'phase' | 'what'>): boolean {
  if (isHelper(what)) return true
  return areOrdinary(wordsOf(what.replace(/ \[not started\]$/, '')), phase === 'build')
}

function areOrdinary([program = '', ...rest]: string[], inBuild: boolean): boolean {
  const name = nameOf(program)
  const [argument = ''] = rest.filter(word => !word.startsWith('-'))
  // Named by a folder, it is not the system's program of that name.
  if (program.includes('/') && !/^(?:\/usr\/|\/s?bin\/|\{(?:venv|build-venv|scripts)\})/.test(program))
    return inBuild && isInBuild(program)
  if (shells.test(name)) {
    const at = rest.findIndex(word => /^-\w*c$/.test(word))
    return at >= 0 ? isOrdinaryScript(rest[at + 1] ?? '', inBuild) : inBuild && isInBuild(argument)
  }
  if (pythons.test(name))
    return (
      isVersion(rest) ||
      frontend.test(argument) ||
      (inBuild && !rest.some(word => /^-\w*c$/.test(word)) && isInBuild(argument))
    )
  if (name === 'env') return areOrdinary(rest.slice(rest.findIndex(word => !/^-|=/.test(word))), inBuild)
  if (/^(?:git|hg|svn)$/.test(name)) return inBuild || !rest.some(word => talking.test(word))
  return asking.test(name) || compiling.test(name) || isVersion(rest) || (inBuild && building.test(name))
}

function isVersion(words: string[]): boolean {
  return words.length === 1 && versions.test(words[0] ?? '')
}

/** The commands of a line for a shell, each in words, or the command itself. */
export function commandsOf(what: string): string[][] {
  const words = wordsOf(what)
  const at = shells.test(nameOf(words[0])) ? words.findIndex(word => /^-\w*c$/.test(word)) : -1
  return at < 0 ? [words] : partsOf(words[at + 1] ?? '')
}

function partsOf(line: string): string[][] {
  const parts = line.replace(/\d?>&\d|&>/g, ' ').split(/\|\|?|&&?|;|\n/)
  return parts
    .map(part => wordsOf(part.trim().replace(/^(?:\w+=\S*\s+)+/, '')))
    .filter(words => words.length > 0)
}

/** A shell without a script or a command: whatever its standard input says is run. */
export function isOpenShell(what: string): boolean {
  if (/\/dev\/(?:tcp|udp)\//.test(what)) return true
  return commandsOf(what.replace(/ \[not started\]$/, '')).some(
    ([program, ...rest]) =>
      shells.test(nameOf(program)) && rest.every(word => /^-[a-z]*$|^--\w+$/.test(word) && !/c/.test(word)),
  )
}

const schedulers = /^(?:crontab|at|batch|systemctl|loginctl|launchctl|schtasks|update-rc\.d)$/
/** What such a program is asked without having it do anything later. */
const questions =
  /^(?:status|show|cat|list|list-.*|is-.*|print|stop|disable|daemon-reload|-l|-h|-V|--help|--version|--no-pager)$/

/** Whether the command has another program run something later: cron, systemd, hooks of git for all repositories. */
export function schedules(what: string): boolean {
  return commandsOf(what).some(([program = '', ...rest]) => {
    if (nameOf(program) === 'git')
      return (
        rest.includes('config') && rest.some(word => /^(?:core\.hooksPath|init\.templateDir)$/i.test(word))
      )
    return schedulers.test(nameOf(program)) && !rest.some(word => questions.test(word))
  })
}

/** Every command of a shell's line is; a line that hides commands in others is not. */
function isOrdinaryScript(line: string, inBuild: boolean): boolean {
  if (/[`]|\$\(|<\(|\/dev\/(?:tcp|udp)\//.test(line)) return false
  return partsOf(line).every(words => areOrdinary(words, inBuild))
}

function isInBuild(path: string): boolean {
  return !/^(?:\/|\{(?!build|build-venv))/.test(path)
}

/** Whether the command asks for another user's rights. */
export function raisesRights(what: string): boolean {
  return commandsOf(what).some(([program]) => raising.test(nameOf(program)))
}

/** The file a command runs: the program, or the script its interpreter is given. */
export function runFileOf(what: string): string {
  const [program = '', ...rest] = wordsOf(what)
  const name = nameOf(program)
  if (!shells.test(name) && !pythons.test(name)) return program
  const at = rest.findIndex(word => !word.startsWith('-'))
  if (at < 0 || rest.slice(0, at).some(word => /^-\w*[cm]$/.test(word))) {
    const inner = wordsOf(rest[at] ?? '')
    return shells.test(name) && at > 0 ? (inner[0] ?? '') : program
  }
  return rest[at] ?? ''
}
