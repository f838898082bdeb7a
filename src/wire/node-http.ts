/**
 * What is used of Node's HTTP. An import of `node:http` asks for everything that it exports, its WebSocket too, for which
 * Node 24 loads an undici of its own: 5 of 81 MB and 5 % of the processor time of a start, for nothing.
 */
export const { createServer, METHODS, request, ServerResponse, STATUS_CODES } = process.getBuiltinModule('node:http')
