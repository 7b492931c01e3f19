// Which connections the gate itself answers, and whom it lets in there (contract §14). A connection asks here, and so do
// `explain` and `check`: with rules of their own they would promise what the console refuses.

import { fromText, type ByteString } from '../base/bytestring.ts';
import type { Settings } from '../config/schema.ts';
import type { StartupRequest } from '../protocol/startup-message.ts';
import type { UpstreamDemand } from '../rules/types.ts';
import type { ConsoleRole } from './process-state.ts';

/** Whether the gate itself answers: the console has users, and it is their database. */
export function isForConsole(
  settings: Settings,
  { database, replication }: Pick<StartupRequest, 'database' | 'replication'>,
): boolean {
  const hasUsers = settings.admin_users.length > 0 || settings.stats_users.length > 0;
  return hasUsers && replication === 'none' && database === fromText(settings.console_database);
}

/** What a user may do at the console. */
export function consoleRole(
  { admin_users: adminUsers, stats_users: statsUsers }: Settings,
  user: ByteString,
): ConsoleRole {
  if (adminUsers.includes(user)) return 'admin';
  return statsUsers.includes(user) ? 'stats' : 'none';
}

/**
 * Why the console refuses a client that a line has admitted; null = it lets it in.
 *
 * @param demand what is still to be proved: `none` where the gate has checked the password
 */
export function consoleRefusal(
  settings: Settings,
  user: ByteString,
  demand: UpstreamDemand,
): 'console-password-impossible' | 'console-denied' | null {
  if (demand !== 'none') return 'console-password-impossible';
  // SECURITY: a rule that admits is not enough: `all` in its database field means every database of the upstream.
  return consoleRole(settings, user) === 'none' ? 'console-denied' : null;
}
