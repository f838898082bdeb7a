#!/usr/bin/env node
import { run } from './cli.ts'

const { argv, env, execArgv, execPath, stdin, stdout, stderr } = process
const exitCode = await run(argv.slice(2), { env, stdin, stdout, stderr, self: [execPath, ...execArgv, ...argv.slice(1, 2)] })
if (exitCode !== undefined) process.exitCode = exitCode
