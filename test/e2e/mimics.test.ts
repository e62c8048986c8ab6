import { describeMimics } from '../helpers/mimic-tests.ts'
import { loadMimics } from '../helpers/mimics.ts'

/** One of each way to be seen: what is read, sent, run, started, left behind, changed, timed. */
const dozen = [
  'backend-token',
  'child-decoded',
  'daemon-beacon',
  'date-30-days',
  'dns-labels',
  'download-run',
  'encrypts-documents',
  'https-leak',
  'memfd-run',
  'pth-base64',
  'pytest-plugin',
  'setuptools-hook',
]

describeMimics(
  'a dozen mimics of harmful behaviour and their benign twins, in real VMs',
  loadMimics().filter(({ name }) => dozen.includes(name)),
  dozen.length,
)
