// ParameterStatus (`S`): the value of a setting that the client is told.

import { fromText } from '../base/bytestring.ts';
import { encodeMessage } from './message.ts';

export function encodeParameterStatus(name: string, value: string): Buffer {
  return encodeMessage('S', `${name}\0${fromText(value)}\0`);
}
