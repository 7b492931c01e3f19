// Who the client is, by the PROXY protocol header with which every connection from proxy_networks begins (contract §9).
// Nothing after the header is taken: it is the client's, perhaps already the first bytes of TLS.

import type { Socket } from 'node:net';
import { ByteReader } from '../base/byte-reader.ts';
import { GatehouseError } from '../base/errors.ts';
import { MAX_PROXY_HEADER_LENGTH, readProxyHeader, type ProxyHeader } from '../protocol/proxy-header.ts';
import {
  clientAddress,
  formatAddress,
  isInRange,
  isLoopback,
  isNobodys,
  type ClientAddress,
  type Network,
} from '../rules/address.ts';
import type { IpAddress } from '../rules/types.ts';

/** The client that a header declares. */
export interface DeclaredClient extends ClientAddress {
  readonly port: number;
}

/** Whether a connection from this address must begin with a header; one from any other address never may. */
export function speaksForOthers(sender: IpAddress, proxyNetworks: readonly Network[]): boolean {
  return proxyNetworks.some(({ address, mask }) => isInRange(sender, address, mask));
}

/**
 * Reads the header and nothing more. Where the sender speaks for itself (LOCAL, UNKNOWN), it also waits for the first
 * byte after the header: a health check that sends none has then ended without a line in the log.
 *
 * @param raw paused, and read by nobody else until this resolves
 * @param sender the address of the socket's other end
 * @param signal ends the wait with its reason
 * @returns null where the sender speaks for itself
 * @throws GatehouseError `proxy-header-missing`, `proxy-header-invalid`, `proxy-header-unsupported`, or
 *   `no-startup-packet` where the connection ends before its first byte, or before its first byte after LOCAL
 */
export async function readClientAddress(
  raw: Socket,
  sender: IpAddress,
  signal: AbortSignal,
): Promise<DeclaredClient | null> {
  const reader = new ByteReader(raw, signal);
  try {
    const header = await readHeader(reader);
    await reader.read(header.length);
    if (header.kind === 'proxied') return declaredClient(header, sender);
    if ((await reader.peek(1)).length === 0) throw new GatehouseError('no-startup-packet');
    return null;
  } finally {
    reader.release();
  }
}

async function readHeader(reader: ByteReader): Promise<ProxyHeader> {
  for (let seen = 0; ;) {
    const more = await reader.peek(seen + 1);
    if (more.length === 0) throw new GatehouseError('no-startup-packet');
    if (more.length === seen) throw invalid('the connection ended in the middle of it');
    const bytes = await reader.peek(Math.min(reader.surplus, MAX_PROXY_HEADER_LENGTH));
    seen = bytes.length;
    const result = readProxyHeader(bytes);
    switch (result.state) {
      case 'read':
        return result.header;
      case 'missing':
        throw missing();
      case 'invalid':
        throw invalid(result.reason);
      case 'unsupported':
        throw new GatehouseError('proxy-header-unsupported', {
          message: `unsupported PROXY protocol header: ${result.reason}`,
        });
      case 'more':
        break;
      default:
        return result satisfies never;
    }
  }
}

function declaredClient(
  { address: text, port }: Extract<ProxyHeader, { kind: 'proxied' }>,
  sender: IpAddress,
): DeclaredClient {
  const declared = clientAddress(text);
  if (declared === null) throw invalid(`it declares "${text}"`);
  const { address } = declared;
  // SECURITY: a line for 127.0.0.1 is meant for this machine. Only a load balancer that runs here may speak for it.
  if (isNobodys(address) && !isLoopback(sender)) {
    throw invalid(`it declares ${formatAddress(address)}, which cannot be a client's address`);
  }
  return { address, port, text: formatAddress(address) };
}

function missing(): GatehouseError {
  return new GatehouseError('proxy-header-missing', {
    message: 'the connection did not begin with a PROXY protocol header',
    hint: 'Every connection from proxy_networks must begin with one: let the load balancer send it, or take its address out of proxy_networks.',
  });
}

function invalid(reason: string): GatehouseError {
  return new GatehouseError('proxy-header-invalid', { message: `invalid PROXY protocol header: ${reason}` });
}
