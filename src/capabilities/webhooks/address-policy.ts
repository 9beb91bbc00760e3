import { lookup as systemLookup, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';

/*
 * Where requests of webhooks may go. Callers name the addresses, so an endpoint must not be a way into the operator's network: only public
 * addresses are connected to, and what is connected to is the very address that was checked, for a name may mean another one at a second look.
 * A name of which one address is not allowed is refused as a whole.
 */

export interface AddressRules {
  /** Hosts, addresses and CIDR ranges that are allowed though they are not public. */
  readonly allowPrivate: readonly string[];
  readonly allowHttp: boolean;
  readonly ports: readonly number[];
}

/** How a name is looked up. There are no addresses where it failed: Node's own look-up says so with `undefined`, whatever its types say. */
export type Resolve = (
  hostname: string,
  done: (error: NodeJS.ErrnoException | null, addresses: readonly LookupAddress[] | undefined) => void,
) => void;

const resolveBySystem: Resolve = (hostname, done) => {
  systemLookup(hostname, { all: true, order: 'verbatim' }, done);
};

/** Why no connection was made. */
class AddressRefused extends Error {
  readonly code = 'ADDRESS_REFUSED';
}

/** All that is public in IPv6; the ranges in it that are special are refused by name. */
const publicIpv6 = ipaddr.parseCIDR('2000::/3');
/** What `ipaddr.js` does not know: documentation, segment routing. */
const otherSpecial = ['3fff::/20', '5f00::/16'].map((range) => ipaddr.parseCIDR(range));

export class AddressPolicy {
  readonly #rules: AddressRules;
  readonly #resolve: Resolve;
  readonly #hosts = new Set<string>();
  readonly #ranges: [ipaddr.IPv4 | ipaddr.IPv6, number][] = [];

  constructor(rules: AddressRules, resolve: Resolve = resolveBySystem) {
    this.#rules = rules;
    this.#resolve = resolve;
    for (const one of rules.allowPrivate) {
      if (ipaddr.isValidCIDR(one)) this.#ranges.push(ipaddr.parseCIDR(one));
      else if (ipaddr.isValid(one)) this.#ranges.push(rangeOf(ipaddr.parse(one)));
      else this.#hosts.add(hostOf(one));
    }
  }

  /** Why a URL may not be an endpoint's, as far as the text says; undefined where it may. */
  problemOf(text: string): string | undefined {
    if (!URL.canParse(text)) return 'is no URL';
    const { protocol, username, password, port, hostname, hash } = new URL(text);
    const { allowHttp, ports } = this.#rules;
    if (protocol !== 'https:' && !(protocol === 'http:' && allowHttp))
      return allowHttp ? 'must begin with https:// or http://' : 'must begin with https://';
    if (username !== '' || password !== '') return 'must hold no user name and no password';
    if (hash !== '') return 'must have no fragment';
    const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
    const isUsual = port === '' && protocol === 'http:';
    if (!isUsual && !ports.includes(number)) return `must use one of the ports ${ports.join(', ')}`;
    const literal = literalOf(hostname);
    if (literal !== undefined && !this.#isAllowed(hostname, literal))
      return 'must not lead to an address that is not public';
    return undefined;
  }

  /** The look-up of a connection: its answers are what is connected to. */
  readonly lookup: LookupFunction = (hostname, options, done) => {
    this.#resolve(hostname, (error, found = []) => {
      const refused = found.some(({ address }) => !this.#isAllowed(hostname, address));
      const [first] = found;
      if (error !== null) done(error, '');
      else if (refused || first === undefined)
        done(new AddressRefused('The name leads to an address that is not public.'), '');
      else if (options.all === true) done(null, [...found]);
      else done(null, first.address, first.family);
    });
  };

  #isAllowed(hostname: string, address: string): boolean {
    if (this.#hosts.has(hostOf(hostname))) return true;
    // A form with a zone, as in fe80::1%eth0, is of one machine's links.
    if (!ipaddr.isValid(address) || address.includes('%')) return false;
    const read = ipaddr.process(address);
    if (this.#ranges.some(([start, bits]) => start.kind() === read.kind() && read.match(start, bits)))
      return true;
    return isPublic(read);
  }
}

/** IPv4 in the forms of IPv6 (mapped, 6to4, NAT64, Teredo) is refused with the rest: nobody needs it to reach a public address. */
function isPublic(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  if (address.range() !== 'unicast') return false;
  if (address.kind() === 'ipv4') return true;
  return address.match(publicIpv6) && !otherSpecial.some((range) => address.match(range));
}

function rangeOf(address: ipaddr.IPv4 | ipaddr.IPv6): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}

/** The address that a host is, in whichever form it was written; undefined where it is a name. */
function literalOf(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '');
  return ipaddr.isValid(bare) ? bare : undefined;
}

function hostOf(name: string): string {
  return name.toLowerCase().replace(/\.$/, '');
}
