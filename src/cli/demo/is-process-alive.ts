/** Whether a process of this id runs on this machine. */
export function isProcessAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives, but is another user's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
