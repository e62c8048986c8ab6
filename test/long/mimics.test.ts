import { describeMimics } from '../helpers/mimic-tests.ts'
import { loadMimics } from '../helpers/mimics.ts'

const pairs = loadMimics()
describeMimics('all mimics of harmful behaviour and their benign twins, in real VMs', pairs, 40)
