// The system's errors in the words of C's strerror, as PostgreSQL's `%m` prints them. libuv and Node word them
// differently, and put the name of the call before them.

import { messageOf } from './errors.ts';

/** By errno's name: the errors of opening, reading, writing, binding and connecting. */
export const systemErrors: Readonly<Record<string, string>> = {
  EACCES: 'Permission denied',
  EADDRINUSE: 'Address already in use',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EAFNOSUPPORT: 'Address family not supported by protocol',
  EAGAIN: 'Resource temporarily unavailable',
  EBADF: 'Bad file descriptor',
  EBUSY: 'Device or resource busy',
  ECONNABORTED: 'Software caused connection abort',
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EDQUOT: 'Disk quota exceeded',
  EEXIST: 'File exists',
  EFBIG: 'File too large',
  EHOSTUNREACH: 'No route to host',
  EINVAL: 'Invalid argument',
  EIO: 'Input/output error',
  EISDIR: 'Is a directory',
  ELOOP: 'Too many levels of symbolic links',
  EMFILE: 'Too many open files',
  ENAMETOOLONG: 'File name too long',
  ENETUNREACH: 'Network is unreachable',
  ENFILE: 'Too many open files in system',
  ENOBUFS: 'No buffer space available',
  ENOENT: 'No such file or directory',
  ENOMEM: 'Cannot allocate memory',
  ENOSPC: 'No space left on device',
  ENOTDIR: 'Not a directory',
  ENOTSOCK: 'Socket operation on non-socket',
  EPERM: 'Operation not permitted',
  EPIPE: 'Broken pipe',
  EROFS: 'Read-only file system',
  ETIMEDOUT: 'Connection timed out',
};

/** What getaddrinfo says in the words of gai_strerror. Node calls a name that nobody knows ENOTFOUND. */
const resolverErrors: Readonly<Record<string, string>> = {
  ENOTFOUND: 'Name or service not known',
  EAI_NONAME: 'Name or service not known',
  EAI_AGAIN: 'Temporary failure in name resolution',
  EAI_FAIL: 'Non-recoverable failure in name resolution',
  EAI_FAMILY: 'ai_family not supported',
  EAI_MEMORY: 'Memory allocation failure',
};

/** What a call on a file was to do, in PostgreSQL's words. */
const fileCalls: Readonly<Record<string, string>> = {
  open: 'could not open file',
  stat: 'could not stat file',
  lstat: 'could not stat file',
  read: 'could not read file',
  write: 'could not write file',
  unlink: 'could not remove file',
  scandir: 'could not open directory',
  mkdir: 'could not create directory',
};

/** The name of the system's error (`ECONNREFUSED`); null where it is not a system error. */
export function errnoOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

/** An error in PostgreSQL's words, or in its own where it is not one of the system's. */
export function systemMessage(error: unknown): string {
  const errno = errnoOf(error) ?? '';
  return systemErrors[errno] ?? resolverErrors[errno] ?? messageOf(error);
}

/** The error of a call on a file, with the file; in its own words where it names none. */
export function fileErrorMessage(error: Error): string {
  if (!('path' in error) || typeof error.path !== 'string') return error.message;
  const call = 'syscall' in error && typeof error.syscall === 'string' ? error.syscall : '';
  const what = fileCalls[call];
  const reason = systemMessage(error);
  return what === undefined ? `${error.path}: ${reason}` : `${what} "${error.path}": ${reason}`;
}
