#!/usr/bin/env node
import { run } from './cli.ts'
import { ownCommand } from './config/package-files.ts'

const { argv, env, stdin, stdout, stderr } = process
// No await: the single file is no module (see .single.js).
void run(argv.slice(2), { env, stdin, stdout, stderr, self: ownCommand(process) }).then(exitCode => {
  if (exitCode !== undefined) process.exitCode = exitCode
})
