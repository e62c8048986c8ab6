import assert from 'node:assert/strict'
import { PytiError } from '../../src/errors.ts'
import type { JobStatus } from '../../src/wire/commands.ts'
import type { House } from './coordinator-house.ts'
import type { TestVolunteer } from './test-volunteer.ts'

/** For `assert.rejects`: an error with this code, and with these words in its message. */
export const told = (code: string, message?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof PytiError, String(error))
  assert.equal(error.code, code, error.message)
  if (message) assert.match(error.message, message)
  return true
}

export function only<T>(items: T[]): T {
  assert.equal(items.length, 1)
  return items[0] ?? assert.fail('nothing')
}

export async function status(house: House, job: string): Promise<JobStatus> {
  return (await house.coordinator.status(job)) ?? assert.fail(`no job ${job}`)
}

/** A volunteer that has said hello. */
export async function arrive(house: House, name: string): Promise<TestVolunteer> {
  const volunteer = house.volunteer(name)
  await volunteer.hello()
  return volunteer
}
