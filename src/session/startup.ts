// The StartupMessage: judges the protocol version, decodes the parameters and answers NegotiateProtocolVersion. The
// upstream may be too old to answer that itself (semantics §1.12 to §1.17).

import { fromText, toBytes } from '../base/bytestring.ts';
import { GatehouseError } from '../base/errors.ts';
import { encodeFatalProtocol2 } from '../protocol/error-response.ts';
import { encodeNegotiateProtocolVersion } from '../protocol/negotiate-protocol-version.ts';
import {
  decodeStartupMessage,
  NEWEST_MINOR_VERSION,
  PROTOCOL_3_0,
  protocolVersion,
  type StartupRequest,
} from '../protocol/startup-message.ts';

/**
 * @param code the packet's protocol version Int32
 * @param send writes to the client
 * @throws GatehouseError `unsupported-protocol` or what decodeStartupMessage throws
 */
export function acceptStartup(code: number, body: Buffer, send: (bytes: Buffer) => void): StartupRequest {
  const { major, minor } = protocolVersion(code);
  if (major !== 3) {
    const message = `unsupported frontend protocol ${major}.${minor}: server supports 3.0 to 3.2`;
    if (major < 3) {
      // Such a client cannot read the newer form of an error.
      send(encodeFatalProtocol2(message));
      throw new GatehouseError('unsupported-protocol', { message });
    }
    throw new GatehouseError('unsupported-protocol', { reply: message });
  }
  return decodeStartupMessage(code, body, (minorVersion, options) => {
    const isNegotiated = minorVersion > NEWEST_MINOR_VERSION || options.length > 0;
    if (isNegotiated) send(encodeNegotiateProtocolVersion(minorVersion, options));
  });
}

/**
 * What a client asks for, by the parameters of its StartupMessage.
 *
 * @param parameters names and values, by turns
 * @throws GatehouseError with what such a client is refused with
 */
export function startupOf(parameters: readonly string[]): StartupRequest {
  return decodeStartupMessage(PROTOCOL_3_0, toBytes(fromText(`${parameters.join('\0')}\0\0`)), () => {});
}
