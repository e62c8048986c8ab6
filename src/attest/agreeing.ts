import type { RawData } from '../wire/raw-data.ts'
import type { Bundle } from './bundle.ts'
import { rawDataDigest, readRawData, readTestimonies } from './testimony.ts'
import type { Verification } from './verify.ts'

/** The raw data a report rests on, for showing times and logs. Only for a bundle whose checks hold. */
export async function agreeingRawData(bundle: Bundle, verification: Verification): Promise<RawData[]> {
  const agreeing = new Set(verification.volunteers.filter(one => one.agreeing).map(one => one.attestation))
  return (await readTestimonies(bundle.rawData))
    .filter(testimony => agreeing.has(testimony.attestation))
    .flatMap(testimony => {
      const bytes = bundle.blobs.get(rawDataDigest(testimony))
      return bytes ? [readRawData(bytes)] : []
    })
}
