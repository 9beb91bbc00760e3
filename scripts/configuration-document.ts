import { httpProviderKinds } from '../src/engine/providers/provider-kinds.ts';
import { listSettings, type SettingEntry } from '../src/host/load-configuration.ts';
import { markdownTable } from './markdown-table.ts';

/** docs/configuration.md: every setting with its environment variable, default and meaning. */
export function configurationDocument(): string {
  const settings = listSettings();
  const rows = settings.map((setting) => [
    `\`${setting.path}\``,
    setting.env === undefined
      ? ''
      : [setting.env, ...(setting.alsoEnv ?? [])].map((name) => `\`${name}\``).join(', '),
    setting.defaultText === '' ? '' : `\`${setting.defaultText}\``,
    meaningOf(setting),
  ]);
  return `# Configuration

<!-- Generated from src/host/configuration.ts by \`npm run generate\`. Do not edit. -->

Everything has a default: without any setting Millrace runs embedded, in one process, with its data in \`.millrace\`.

Values come from four places. Each overrides the ones before it:

1. the defaults below;
2. a JSON file, named by \`MILLRACE_CONFIG\`, by \`configFile\` in code, or by \`--config\` on the command line. A setting
   \`http.port\` is the member \`port\` of the object \`http\`;
3. environment variables. An empty one counts as not set;
4. the options in code: \`config\` of \`MillraceModule.forRoot\` and \`createMillraceApp\`.

The whole configuration is checked at start. All faults are reported at once, by the path of each setting, as
\`MILLRACE_CONFIG_INVALID\`; a setting that does not exist is a fault too. Give settings marked *secret* by the environment, or
in a file that nobody else can read. White space around them is no part of them.

## Settings

${markdownTable(['Setting', 'Environment variable', 'Default', 'Meaning'], rows)}
## Rules between settings

- \`ledger.url\` and \`queue.url\` are set both (servers) or neither (embedded).
- Embedded, one process does everything: all three roles.
- \`http.auth\` \`none\` is allowed on a loopback address only.
- \`payloads.accessKeyId\` and \`payloads.secretAccessKey\` are set both or neither.
- \`messages.inlineBytes\` is at most \`messages.maxBytes\`.

## A provider

\`models.providers\` has one object a provider:

| Member | Meaning |
| --- | --- |
| \`kind\` | How it is spoken to: ${httpProviderKinds.map((kind) => `\`${kind}\``).join(', ')}, or another of their [names](providers.md). Not needed where the provider's own name is one of them |
| \`baseUrl\` | Where its API is, without a slash at the end. The vendor's own unless given; required for \`openai-compatible\` |
| \`apiKey\` | Its key. *Secret* |
| \`api\` | \`openai\` and \`azure\` only: which endpoint chat models use, \`responses\` (default) or \`chat\` |
| \`priceProvider\` | The catalogue provider whose prices apply, when they are not those of the kind's vendor. Gateways that speak like OpenAI or Anthropic have the prices of their own name |
| \`headers\` | Sent with every request |
| \`region\`, \`accessKeyId\`, \`secretAccessKey\`, \`sessionToken\` | \`bedrock\` only: the region, and the key that signs requests when there is no \`apiKey\`. *Secret*, but for the region |
| \`resourceName\`, \`apiVersion\`, \`deploymentUrls\` | \`azure\` only: the resource, when no \`baseUrl\` says where it is; the API's version; \`true\` for addresses with the deployment in them |
| \`project\`, \`location\`, \`accessToken\`, \`credentialsFile\` | \`vertex\` only: the project and location; a token as it is (*secret*), or a file of credentials, when the machine has none of its own |
| \`timeoutMs\` | How long one request may take, its whole stream included. Default 600000 |
| \`identify\` | Sends the ids of call and message as request headers: for a provider of your own, such as the simulator |

\`\`\`json
{
  "models": {
    "providers": {
      "eu": { "kind": "openai-compatible", "baseUrl": "https://models.example.eu/v1", "priceProvider": "openai" }
    }
  }
}
\`\`\`

A stage then names its models \`eu/…\`.
`;
}

function meaningOf({ help, secret }: SettingEntry): string {
  return secret === true ? `${help} *Secret.*` : help;
}
