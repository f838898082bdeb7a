#!/usr/bin/env node
import { run } from './cli.ts'

const { argv, env, stdin, stdout, stderr } = process
const exitCode = await run(argv.slice(2), { env, stdin, stdout, stderr })
if (exitCode !== undefined) process.exitCode = exitCode
