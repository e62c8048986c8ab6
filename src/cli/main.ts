import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Command } from 'commander'
import { auditCommand } from './commands/audit.ts'
import { compareCommand } from './commands/compare.ts'
import { coordinatorCommand } from './commands/coordinator.ts'
import { demoCommand } from './commands/demo.ts'
import { doctorCommand } from './commands/doctor.ts'
import { exportCommand } from './commands/export.ts'
import { imageCommand } from './commands/image.ts'
import { reportCommand } from './commands/report.ts'
import { rootCommand } from './commands/root.ts'
import { submitCommand } from './commands/submit.ts'
import { testCommand } from './commands/test.ts'
import { verifyCommand } from './commands/verify.ts'
import { volunteerCommand } from './commands/volunteer.ts'
import { whyCommand } from './commands/why.ts'
import { witnessCommand } from './commands/witness.ts'
import { exitCodes, reportError } from './output.ts'
import { repositoryDir } from './paths.ts'

const { version } = JSON.parse(await readFile(join(repositoryDir, 'package.json'), 'utf8'))

const program = new Command('pyti')
  .description(
    'Does a file on PyPI build, install, import and pass its tests, how good is it, does it do harm? Volunteers run it in VMs without a network, and anyone can verify the report.',
  )
  .version(version)
  .showHelpAfterError('(see --help)')
  .exitOverride()

for (const command of [
  testCommand(),
  verifyCommand(),
  auditCommand(),
  whyCommand(),
  exportCommand(),
  compareCommand(),
  coordinatorCommand(),
  volunteerCommand(),
  witnessCommand(),
  rootCommand(),
  submitCommand(),
  reportCommand(),
  imageCommand(),
  doctorCommand(),
  demoCommand(),
])
  program.addCommand(command)
for (const command of program.commands) command.exitOverride()

// A reader that goes away (`pyti ... | head`) is not an error.
process.stdout.on('error', error => process.exit((error as NodeJS.ErrnoException).code === 'EPIPE' ? 0 : 1))

try {
  await program.parseAsync()
} catch (error) {
  const { code, exitCode } = error as { code?: string; exitCode?: number }
  if (code?.startsWith('commander.')) process.exitCode = exitCode === 0 ? exitCodes.ok : exitCodes.usage
  else process.exitCode = reportError(error)
}
