'use strict'
// The runner of checks.py for the clients that run in node: `check` registers, `run` runs each with a time limit,
// prints a line for each, and ends with `N passed, N failed, N skipped`.
const assert = require('node:assert/strict')

const SECONDS_MAX = Number(process.env.COMPAT_SECONDS_MAX || 60)
const checks = []

const check = (name, body) => checks.push({ name, body })

// Fails unless the promise fails with this SQLSTATE, wherever the client keeps it.
const expectError = async (code, promise) => {
  try {
    await promise
  } catch (error) {
    const found = error.code && /^[0-9A-Z]{5}$/.test(error.code) ? error : error.original || error.driverError || error.cause || error
    assert.equal(found.code, code, error.message)
    return found
  }
  assert.fail(`no error, expected ${code}`)
}

const limited = promise => {
  let timer
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${SECONDS_MAX} s`)), SECONDS_MAX * 1000)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

// open: makes what every check gets; close: ends it. setup: once, before all.
const run = async ({ setup, open, close, finish }) => {
  if (setup) await limited(setup())
  let passed = 0; let failed = 0
  for (const { name, body } of checks) {
    if (!name.includes(process.env.COMPAT_ONLY || '')) continue
    let client
    try {
      await limited((async () => { client = await open(); await body(client) })())
      console.log(`ok       ${name}`)
      passed++
    } catch (error) {
      const text = (process.env.COMPAT_VERBOSE && error.stack) || error.message || String(error)
      console.log(`FAILED   ${name}: ${text}`.replace(/\s*\n\s*/g, ' | ').slice(0, process.env.COMPAT_VERBOSE ? 5000 : 500))
      failed++
    }
    if (client) await Promise.resolve(close(client)).catch(() => {})
  }
  if (finish) await Promise.resolve(finish()).catch(() => {})
  console.log(`${passed} passed, ${failed} failed, 0 skipped`)
  process.exit(failed || !passed ? 1 : 0)
}

// A schema of its own for the client, new at each run; needs the pg module or postgres.
const freshSchema = async schema => {
  const text = `DROP SCHEMA IF EXISTS ${schema} CASCADE; CREATE SCHEMA ${schema}`
  let Client
  try { Client = require('pg').Client } catch { /* postgres.js instead */ }
  if (Client) {
    const client = new Client()
    client.on('error', () => {})
    await client.connect()
    await client.query(text)
    await client.end()
  } else {
    const sql = require('postgres')({ max: 1, onnotice: () => {} })
    await sql.unsafe(text)
    await sql.end()
  }
}

module.exports = { assert, check, expectError, freshSchema, run }
