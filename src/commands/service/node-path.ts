import { dirname, posix } from 'node:path'

/** A tool that keeps several versions of Node, each in a folder that goes with it. */
interface Versions {
  readonly tool: string
  /** Matches the folder of a version's programs; its first group is where the tool lives, its second one the version. */
  readonly folder: RegExp
  /** Folders beneath the first group in which the version is that the user has chosen, whichever that will be. */
  readonly stable: (version: string) => readonly string[]
}

const tools: readonly Versions[] = [
  { tool: 'nvm', folder: /^(.*\/\.?nvm)\/versions\/node\/([^/]+)\/bin$/, stable: () => ['current/bin'] },
  { tool: 'fnm', folder: /^(.*\/\.?fnm)\/node-versions\/([^/]+)\/installation\/bin$/, stable: () => ['aliases/default/bin'] },
  { tool: 'volta', folder: /^(.*\/\.?volta)\/tools\/image\/node\/([^/]+)\/bin$/, stable: () => ['bin'] },
  { tool: 'asdf', folder: /^(.*\/\.?asdf)\/installs\/nodejs\/([^/]+)\/bin$/, stable: () => ['shims'] },
  { tool: 'mise', folder: /^(.*\/mise)\/installs\/node\/([^/]+)\/bin$/, stable: () => ['shims'] },
  { tool: 'nodenv', folder: /^(.*\/\.?nodenv)\/versions\/([^/]+)\/bin$/, stable: () => ['shims'] },
  { tool: 'Homebrew', folder: /^(.*)\/Cellar\/(node(?:@\d+)?\/[^/]+)\/bin$/, stable: version => [`opt/${posix.dirname(version)}/bin`, 'bin'] }
]

function versionsOf (node: string): { tool: string, version: string, stable: readonly string[] } | undefined {
  for (const { tool, folder, stable } of tools) {
    const [, root = '', version = ''] = folder.exec(posix.dirname(node)) ?? []
    if (version !== '') return { tool, version: posix.basename(version), stable: stable(version).map(path => `${root}/${path}`) }
  }
  return undefined
}

/** The version of Node that goes away when its tool is told so, by the path of its program. */
export const versionOf = (node: string): { tool: string, version: string } | undefined => versionsOf(node)

/**
 * Folders in which a service looks for Node: that of the running one, then where the same tool has the version that is
 * chosen now, should this one be removed, then where programs usually are (field.md D9).
 */
export const nodePath = (node: string, home: string): readonly string[] =>
  [...new Set([dirname(node), ...versionsOf(node)?.stable ?? [], `${home}/.local/bin`, '/usr/local/bin', '/usr/bin', '/bin'])]
