import { BlockList, isIP } from 'node:net';

/* What is meant by "this machine only". */

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/** Whether an IP address is of this machine's loopback interface. */
export function isLoopbackAddress(address: string): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  const family = isIP(plain);
  return family !== 0 && loopback.check(plain, family === 4 ? 'ipv4' : 'ipv6');
}

/** Whether a host to listen on, or one named in a Host header (with or without its port), is this machine only. */
export function isLoopbackHost(host: string): boolean {
  const name = host
    .replace(/:\d+$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  // A bare IPv6 address has no port to cut off.
  return name === 'localhost' || isLoopbackAddress(name) || isLoopbackAddress(host);
}
