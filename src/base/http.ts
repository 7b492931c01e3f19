// Node's HTTP without an import of it. An import looks at each thing that a module exports, and node:http exports a
// WebSocket, which is a whole second implementation of HTTP: 5 MB of memory and 15 ms of every start.

const http = process.getBuiltinModule('node:http');
const https = process.getBuiltinModule('node:https');

export const createHttpServer = http.createServer;
export const createHttpsServer = https.createServer;
export const requestHttp = http.request;
export const requestHttps = https.request;
