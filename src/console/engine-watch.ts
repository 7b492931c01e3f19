// Ends the engine's process once the gate that has started it is gone: the statement itself may never come back to hear
// of it.

/** How often it looks, in milliseconds. */
const EVERY_MS = 500;

const gate = process.ppid;
setInterval(() => {
  if (process.ppid !== gate) process.kill(process.pid, 'SIGKILL');
}, EVERY_MS);
