import type { ArchiveFault, Observer } from '../wire/raw-data.ts'
import type { ResultReason, Verdict } from './evaluation.ts'

/** One plain sentence per word of the closed lists: the compiler refuses a word without one. */
export const reasonWords: Record<ResultReason, string> = {
  'exit-code': 'The program ended with a code that says it failed.',
  signal: 'The program was ended by a fatal signal, such as an access to memory that is not its own.',
  timeout: 'It did not finish within the time a task may take.',
  'out-of-memory': 'It needed more memory than the virtual machine has.',
  'disk-full': 'It filled the disk of the virtual machine.',
  'process-limit': 'It started more processes than a task may have.',
  'output-limit': 'It printed more than a task may print.',
  'tests-failed': 'At least one test failed.',
  'collection-failed': 'The test runner could not load the tests, so none of the results can be relied on.',
  'module-failed': 'At least one module could not be imported.',
  'no-wheel-made': 'The build ended without an error but left no wheel behind.',
  tampered:
    'The agent inside the virtual machine was ended or its messages were forged, so nothing it says counts.',
  'is-a-wheel': 'A wheel is built already, so there is nothing to build.',
  'build-failed': 'The build failed, so there was nothing to go on with.',
  'install-failed': 'The installation failed, so there was nothing to go on with.',
  'no-tests': 'The distribution contains no tests that a known test runner finds.',
  'no-modules': 'The distribution installs nothing that can be imported.',
  'no-scripts': 'The distribution has no console scripts.',
  'not-requested': 'The job did not ask for it.',
  'bad-input': 'The file is not a distribution that can be worked with.',
  'dependencies-unavailable':
    'Not everything it requires could be had: a wheel for this interpreter and platform, or a compiler or library of the system.',
  'needs-other-python': 'The distribution asks for another version of Python than the virtual machine has.',
  'needs-other-platform': 'The distribution is made for another operating system or processor.',
  'unknown-test-runner': 'The tests ask for a test runner that is not known here.',
  'unknown-build-backend': 'The distribution asks for a build backend that could not be provided.',
  'not-repeating': 'Honest runs of the same job came to different results.',
  'needs-network': 'It needs the network, and the virtual machine has none.',
}

export const archiveFaultWords: Record<ArchiveFault, string> = {
  truncated: 'The archive ends before its contents do.',
  'not-an-archive': 'The file is not the kind of archive its name promises.',
  'path-escape': 'A member of the archive would be unpacked outside the folder it belongs in.',
  'link-escape': 'A link in the archive points outside the folder it belongs in.',
  'special-file': 'The archive contains a device, a pipe or another file that is neither data nor folder.',
  'too-many-members': 'The archive has more members than a distribution may have.',
  'unpacks-too-large': 'The archive unpacks to more bytes than a distribution may have.',
  'no-metadata': 'The distribution carries no metadata.',
  'bad-metadata':
    'The metadata of the distribution does not follow the standard or contradicts the file name.',
  'duplicate-member':
    'Two members of the archive have the same path, so that tools may see different contents.',
}

export const observerWords: Record<Observer, string> = {
  changes: 'What tasks left in the file system was not seen.',
  syscalls: 'Programs that were started, and what any of them did, were seen only as far as Python told.',
  audit: 'What Python code did was not seen with its lines, and decoded code was not seen at all.',
  baits: 'No secrets were planted, so that one was read or sent could not be seen.',
  sinkhole: 'Nothing answered for the network, so what would have been sent or downloaded was not seen.',
}

export const verdictWords: Record<Verdict, string> = {
  clean: 'nothing out of the ordinary was seen',
  observed: 'something was seen that is worth knowing and has harmless explanations',
  suspicious: 'behaviour was seen that a person should look at',
  confirmed: 'a planted secret left the virtual machine',
  unresolved: 'the volunteers could not agree',
  'bad-input': 'the file is not a usable distribution',
}
