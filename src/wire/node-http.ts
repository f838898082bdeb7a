/**
 * What is used of Node's HTTP. An import of `node:http` asks for everything that it exports, its WebSocket too, for which
 * Node loads an undici of its own: 2 MB and 30 ms for nothing.
 */
export const { createServer, ServerResponse, STATUS_CODES } = process.getBuiltinModule('node:http')
