import { describe, expect, test } from 'vitest';
import { blueprintWith as b, compiled, found } from './compiling.ts';

describe('diagnostics', () => {
  test.each<readonly [string, string, readonly string[]]>([
    [
      'a key that is misspelt',
      b({ service: 'scael: {cpu: 1, memory: 1GB}' }),
      ['a.yml:8:9: error unexpected-element: a service has no key `scael`; did you mean `scale`?'],
    ],
    [
      'a key that belongs elsewhere',
      b({ breed: 'scale: {cpu: 1, memory: 1GB}', cluster: 'scale: {cpu: 1, memory: 1GB}' }),
      [
        'a.yml:4:5: error unexpected-element: a cluster has no key `scale`; `scale` stands in each of the services',
        'a.yml:9:11: error unexpected-element: a breed has no key `scale`; `scale` stands beside `breed`, in the service',
      ],
    ],
    [
      'two names of one key',
      b({ breed: 'env: {A: b}\nenvironment_variables: {C: d}' }),
      [
        'a.yml:9:11: error unexpected-element: `environment_variables` and `env` are two names of one key; write one\n  see a.yml:8:11',
      ],
    ],
    [
      'wrong types',
      b({
        service: 'scale: {cpu: "much", memory: 128, instances: "2"}',
        breed: 'ports: 8080/http\nhealth_checks: yes',
      }),
      [
        'a.yml:8:18: error unexpected-type: `ports` must be a map, found a text',
        'a.yml:9:26: error unexpected-type: a health check must be a map, found a boolean',
        'a.yml:10:22: error unexpected-type: `cpu` must be a number of cores such as 0.5, or 500m, found `much`',
        'a.yml:10:38: error unexpected-type: `memory` must have a unit, such as 64MB or 1GB, found `128`',
        'a.yml:10:54: error unexpected-type: `instances` must be a whole number such as 2, found a text',
      ],
    ],
    [
      'values that are missing',
      b({ service: 'scale: {}', breed: 'health_checks: {port: p}\nports: {p: 1}' }),
      [
        'a.yml:8:27: error missing-path-value: a health check needs `initial_delay`',
        'a.yml:8:27: error missing-path-value: a health check needs `timeout`',
        'a.yml:8:27: error missing-path-value: a health check needs `interval`',
        'a.yml:8:27: error missing-path-value: a health check needs `failures`',
        'a.yml:10:16: error missing-path-value: a scale needs `cpu`',
        'a.yml:10:16: error missing-path-value: a scale needs `memory`',
      ],
    ],
    [
      'negative and fractional counts',
      b({ service: 'scale: {cpu: -1, memory: -1MB, instances: 1.5}' }),
      [
        'a.yml:8:22: error unexpected-type: `cpu` must be a number of cores such as 0.5, or 500m, found `-1`',
        'a.yml:8:34: error unexpected-type: `memory` must have a unit, such as 64MB or 1GB, found `-1MB`',
        'a.yml:8:51: error unexpected-type: `instances` must be a whole number such as 2, found a number',
      ],
    ],
    [
      'times without a unit',
      b({
        breed:
          'ports: {p: 1}\nhealth_checks: {port: p, initial_delay: 5, timeout: 1 s, interval: 1d, failures: -1, protocol: GRPC}',
      }),
      [
        'a.yml:9:51: error unexpected-type: `initial_delay` must be a time such as 30s, 10m or 1h, found `5`',
        'a.yml:9:63: error unexpected-type: `timeout` must be a time such as 30s, 10m or 1h, found `1 s`',
        'a.yml:9:78: error unexpected-type: `interval` must be a time such as 30s, 10m or 1h, found `1d`',
        'a.yml:9:92: error negative-failures-number: `failures` must be 0 or more, found -1',
        'a.yml:9:106: error unsupported-health-protocol: Marathon has no health check protocol `GRPC`; it has `HTTP`, `HTTPS`, `TCP`, `MESOS_HTTP`, `MESOS_HTTPS` or `MESOS_TCP`',
      ],
    ],
    [
      'ports that are none',
      b({ breed: 'ports: {p: 80800, q: 53/udp, r: ~, s.t: 1, u: [1]}' }),
      [
        'a.yml:8:22: error unexpected-type: port `p` must be a port such as 8080, 8080/http or 8080/tcp, found `80800`',
        'a.yml:8:32: error unexpected-type: port `q` must be a port such as 8080, 8080/http or 8080/tcp, found `53/udp`',
        'a.yml:8:40: error missing-port-value: port `r` needs a value',
        'a.yml:8:46: error illegal-strict-name: `s.t` is not a name; such names have no blanks and none of / [ ] .',
        'a.yml:8:57: error unexpected-type: port `u` must be a port such as 8080, 8080/http or 8080/tcp, found a list',
      ],
    ],
    [
      'gateway ports that are none',
      b({
        blueprint:
          'gateways:\n  0: web/p\n  70000: web/p\n  web: web/p\n  9000: {port: 9001/udp, routes: web/p}',
        breed: 'ports: {p: 1}',
      }),
      [
        'a.yml:3:3: error invalid-gateway-port: a gateway port is a number from 1 to 65535, or as 8080/tcp, found `0`; a port that is chosen by Sluice is not built yet',
        'a.yml:4:3: error invalid-gateway-port: a gateway port is a number from 1 to 65535, or as 8080/tcp, found `70000`',
        'a.yml:5:3: error invalid-gateway-port: a gateway port is a number from 1 to 65535, or as 8080/tcp, found `web`',
        'a.yml:6:16: error invalid-gateway-port: a gateway port is a number from 1 to 65535, or as 8080/tcp, found `9001/udp`',
      ],
    ],
    [
      'names that are none',
      b({ blueprint: 'env: {"a b": c}', breed: 'env: {"x/y": z}' })
        .replace('name: shop', 'name: my shop')
        .replace('name: web', 'name: web/1'),
      [
        'a.yml:1:7: error illegal-name: `my shop` is not a name; names have no blanks and none of / [ ]',
        'a.yml:2:7: error illegal-name: `a b` is not a name; names have no blanks and none of / [ ]',
        'a.yml:7:17: error illegal-name: `web/1` is not a name; names have no blanks and none of / [ ]',
        'a.yml:9:17: error illegal-name: `x/y` is not a name; names have no blanks and none of / [ ]',
      ],
    ],
    [
      'weights that do not sum up',
      b({ cluster: 'gateways: {routes: {web: {weight: 90%}}}', breed: 'ports: {p: 1}' }),
      [
        'a.yml:4:39: error gateway-route-weight: the weights of these routes sum to 90% (90%); they must sum to 100%, or to 0% to close the gateway',
      ],
    ],
    [
      'weights without a per cent sign or beyond 100',
      b({ cluster: 'gateways: {routes: {web: {weight: 50}}}', breed: 'ports: {p: 1}' }),
      [
        'a.yml:4:39: error unexpected-type: `weight` must be a percentage from 0% to 100%, found `50`; write 50%',
      ],
    ],
    [
      'a weight in place of a body',
      b({ cluster: 'gateways: {routes: {web: 100%}}', breed: 'ports: {p: 1}' }),
      ['a.yml:4:30: error unexpected-type: a route takes a map; write {weight: 100%}'],
    ],
    [
      'routes that lead nowhere',
      b({
        blueprint: 'gateways: {9000: wbe/p, 9001: web/q, 9002: web, 9003: a/b/c}',
        cluster: 'gateways: {p: {routes: {wbe: {weight: 100%}}}, q: {}}',
        breed: 'ports: {p: 1}',
      }),
      [
        'a.yml:2:18: error unresolved-gateway-port: there is no cluster `wbe` here; there is `web`; did you mean `web`?',
        'a.yml:2:31: error unresolved-gateway-port: cluster `web` has no port `q`; it has `p`',
        'a.yml:2:44: error unsupported-route-path: a gateway of a blueprint routes to `cluster/port`, found `web`',
        'a.yml:2:55: error unsupported-route-path: a gateway of a blueprint routes to `cluster/port`, found `a/b/c`',
        'a.yml:5:29: error unresolved-service-route: cluster `web` has no breed `wbe`; it has `web`; did you mean `web`?',
        'a.yml:5:52: error unresolved-gateway-port: no service of cluster `web` has a port `q`; it has `p`',
      ],
    ],
    [
      'an anonymous gateway over two ports',
      b({ cluster: 'gateways: {routes: {web: {}}}', breed: 'ports: {p: 1, q: 2}' }),
      [
        'a.yml:4:16: error illegal-anonymous-routing-port-mapping: these routes are for one port, and cluster `web` has 2; write {PORT: {routes: ...}}',
      ],
    ],
    [
      'a port that one file claims twice',
      b({
        blueprint: 'gateways: {9000: web/p, x: {port: 9000/tcp, routes: web/p}}',
        breed: 'ports: {p: 1}',
      }),
      [
        'a.yml:2:12: error duplicate-gateway-port: gateway port 9000 is claimed here and at a.yml:2:25; nothing of these files is taken up until one is left\n  see a.yml:2:25',
        'a.yml:2:25: error duplicate-gateway-port: gateway port 9000 is claimed here and at a.yml:2:12; nothing of these files is taken up until one is left\n  see a.yml:2:12',
        'a.yml:9:19: warning no-health-check: nothing checks port `p` of `web`: an instance counts as ready once its port takes connections; add `health_checks`',
      ],
    ],
    [
      'a route that stands twice',
      b({ blueprint: 'gateways: {9000: [web/p, web/p]}', breed: 'ports: {p: 1}' }),
      [
        'a.yml:2:26: error duplicate-route: route `web/p` stands here a second time\n  see a.yml:2:19',
        'a.yml:9:19: warning no-health-check: nothing checks port `p` of `web`: an instance counts as ready once its port takes connections; add `health_checks`',
      ],
    ],
    [
      'a weight above 0 with 0 instances',
      b({
        blueprint: 'gateways: {9000: web/p}',
        cluster: 'gateways: {routes: {web: {weight: 100%}}}',
        breed: 'ports: {p: 1}',
        service: 'scale: {cpu: 1, memory: 1GB, instances: 0}',
      }),
      [
        'a.yml:5:39: error weight-without-instances: `web` has a weight of 100% and 0 instances\n  see a.yml:11:49',
        'a.yml:10:19: warning no-health-check: nothing checks port `p` of `web`: an instance counts as ready once its port takes connections; add `health_checks`',
      ],
    ],
    [
      'a share for nobody',
      b({
        blueprint: 'gateways: {9000: web/p}',
        breed: 'ports: {p: 1}',
        service: 'scale: {cpu: 1, memory: 1GB, instances: 0}',
      }),
      [
        'a.yml:9:19: warning no-health-check: nothing checks port `p` of `web`: an instance counts as ready once its port takes connections; add `health_checks`',
        'a.yml:10:49: error weight-without-instances: `web` has 0 instances and would get an equal share; give it a weight of 0%',
      ],
    ],
    [
      'a breed that stands twice',
      b({ service: 'scale: {cpu: 1, memory: 1GB}' }) +
        '\n      - breed: {name: web, deployable: web:2}',
      [
        'a.yml:9:23: error non-unique-blueprint-breed-reference: breed `web` stands in this blueprint a second time; each service needs a name of its own\n  see a.yml:6:17',
      ],
    ],
    [
      'no service at all',
      'name: shop\nclusters: {}',
      [
        'a.yml:2:11: error no-service: a blueprint needs at least one service: {clusters: {NAME: {services: ...}}}',
      ],
    ],
    [
      'health checks of ports that are not there',
      b({
        breed: 'ports: {http: 1}',
        cluster:
          'health_checks: {port: htp, initial_delay: 1s, timeout: 1s, interval: 1s, failures: 1}',
      }),
      [
        'a.yml:4:27: error unresolved-port-reference: the health check names port `htp`; there are `http`; did you mean `http`?',
      ],
    ],
    [
      'a health check that asks too seldom',
      b({
        breed:
          'ports: {http: 1}\nhealth_checks: {port: http, initial_delay: 1s, timeout: 1s, interval: 1m, failures: 1}',
      }),
      [
        'a.yml:9:81: warning health-interval-long: with an interval of 60 s a broken instance is noticed late; write 10s or less',
      ],
    ],
    [
      'deployables of another platform',
      b({}).replace('deployable: web:1', 'deployable: {type: container/rkt, definition: web}'),
      [
        'a.yml:7:30: error unsupported-deployable-type: Marathon has no deployable type `container/rkt`; it has `container/docker`, `docker`, `command` or `cmd`',
      ],
    ],
    [
      'arguments and networks of commands',
      b({
        service: 'network: BRIDGE\narguments: {a: b}',
        breed: 'arguments: [x]\nports: {p: 80}',
      }).replace('deployable: web:1', 'deployable: {type: command, definition: run}'),
      [
        'a.yml:6:17: error unsupported-network: a command runs on the network of its host, not on `BRIDGE`',
        'a.yml:8:11: error invalid-argument: arguments are parameters of docker; a command has none',
        'a.yml:8:23: error invalid-argument: arguments are a map, or a list of maps with one key each, such as {hostname: web}',
        'a.yml:9:19: warning port-not-fixed: on the network of the host Mesos chooses the port; listen on $PORT0 instead of 80, and write 0',
        'a.yml:11:21: error invalid-argument: arguments are parameters of docker; a command has none',
      ],
    ],
    [
      'privileged that is neither true nor false',
      b({ service: 'arguments: {privileged: maybe, a: [b]}' }),
      [
        'a.yml:8:33: error invalid-argument-value: argument `privileged` must be true or false',
        'a.yml:8:43: error invalid-argument: argument `a` must have one value',
      ],
    ],
    [
      'variables without a value',
      b({
        breed: 'env: {A: ~, B: ~}',
        service: 'env: {B: ~, C: d}',
        blueprint: 'env: {web.D: e, wbe.A: f}',
      }),
      [
        'a.yml:2:7: error unresolved-environment-variable: no breed of cluster `web` declares a variable `D`',
        'a.yml:2:17: error unresolved-environment-variable: `wbe.A` must start with a cluster and a dot; there is `web`',
        'a.yml:9:17: error unresolved-variable-value: variable `A` has no value; give it one here, in `env` of the service or of the blueprint',
        'a.yml:10:15: error missing-environment-variable: variable `B` needs a value here; only a breed may leave it open',
        'a.yml:10:21: error unresolved-dependency-in-trait-value: breed `web` declares no variable `C`; declare it there, with ~ for no value',
      ],
    ],
    [
      'values that are no texts',
      b({ breed: 'env: {A: [1], B: {c: d}}' }),
      [
        'a.yml:8:20: error malformed-trait: variable `A` must be one value, found a list',
        'a.yml:8:28: error unexpected-element: variable `B` must be one value, found a map',
      ],
    ],
    [
      'values that YAML retypes',
      b({ breed: 'env: {A: 1.10, B: on, C: 0777, D: 8080, E: true}' }),
      [
        'a.yml:8:20: warning retyped-text: YAML reads variable `A` as a number, so the text that arrives is not the one written here; put it in quotes',
        'a.yml:8:29: warning retyped-text: YAML reads variable `B` as a boolean, so the text that arrives is not the one written here; put it in quotes',
        'a.yml:8:36: warning retyped-text: YAML reads variable `C` as a number, so the text that arrives is not the one written here; put it in quotes',
      ],
    ],
    [
      '$ references',
      b({
        breed: 'env: {A: $db.host, B: "$", C: $$x}\nports: {p: $x.ports.y}',
        service: 'dialects: {marathon: {cmd: run $PORT0, user: "${ a b }"}}',
      }),
      [
        'a.yml:8:20: error not-built-yet: $ references, as in variable `A`, are not built yet; write the value itself, or $$ for a literal $',
        'a.yml:8:33: error parser: variable `B` has a $ that is no reference; write $$ for a literal $',
        'a.yml:9:22: error not-built-yet: $ references, as in port `p`, are not built yet; write the number',
        'a.yml:10:36: error not-built-yet: $ references in dialects are not built yet; write the value itself, or $$ for a literal $',
        'a.yml:10:54: error parser: this text has a $ that is no reference; write $$ for a literal $',
      ],
    ],
    [
      'stored artifacts',
      b({ service: 'scale: small', blueprint: 'rollout: slow' }) +
        '\n      - stored\n      - {ref: stored}\n      - breed: {ref: stored}',
      [
        'a.yml:2:10: error not-built-yet: references to stored rollouts are not built yet; write the rollout itself',
        'a.yml:9:16: error not-built-yet: references to stored scales are not built yet; write cpu, memory and instances here',
        'a.yml:10:9: error not-built-yet: references to stored breeds (here `stored`) are not built yet; write the breed itself, with name and deployable',
        'a.yml:11:15: error not-built-yet: references to stored breeds (here `stored`) are not built yet; write the breed itself, with name and deployable',
        'a.yml:12:16: error not-built-yet: references to stored breeds are not built yet; write the breed itself, with name and deployable',
      ],
    ],
    [
      'conditions, sticky, virtual hosts, rewrites',
      b({
        blueprint:
          'gateways: {9000: {sticky: route, virtual_hosts: [a.example.com], routes: {web/p: {weight: 100%, condition: "user-agent == Chrome", rewrites: [{path: "/a if b"}], balance: source}}}}',
        breed: 'ports: {p: 1}',
      }),
      [
        'a.yml:2:19: error not-built-yet: sticky gateways are not built yet; remove `sticky`',
        'a.yml:2:34: error not-built-yet: virtual hosts are not built yet; remove `virtual_hosts`',
        'a.yml:2:97: error not-built-yet: conditions are not built yet; remove `condition`',
        'a.yml:2:132: error not-built-yet: rewrites are not built yet; remove `rewrites`',
        'a.yml:2:163: error not-built-yet: a choice of the balancing algorithm is not built yet; remove `balance`',
        'a.yml:9:19: warning no-health-check: nothing checks port `p` of `web`: an instance counts as ready once its port takes connections; add `health_checks`',
      ],
    ],
    [
      'a sticky that is none of the words',
      b({ cluster: 'gateways: {sticky: always}', breed: 'ports: {p: 1}' }),
      ['a.yml:4:24: error illegal-gateway-sticky-value: `sticky` must be route, instance or none'],
    ],
    [
      'what exported artifacts carry, when empty',
      b({
        blueprint:
          'gateways: {9000: {sticky: ~, virtual_hosts: [], routes: {web/p: {lookup_name: abc, weight: 100%, condition: ~, condition_strength: 0%, rewrites: [], balance: default, targets: []}}}}',
        breed: 'ports: {p: 1}\ndependencies: {}',
      }),
      [
        'a.yml:9:19: warning no-health-check: nothing checks port `p` of `web`: an instance counts as ready once its port takes connections; add `health_checks`',
      ],
    ],
    [
      'dependencies',
      b({ breed: 'dependencies: {db: db:1}' }),
      [
        'a.yml:8:11: error not-built-yet: dependencies of breeds are not built yet; remove them; deployments start side by side',
      ],
    ],
    [
      'slas',
      b({ cluster: 'sla: gold' }),
      ['a.yml:4:5: warning not-acted-on: `sla` is read and not acted on'],
    ],
    [
      'dialect fields',
      b({
        service:
          'dialects: {marathon: {id: /x, instances: 3, cpus: 1, constrants: [], other: 1, ipAddress: {}, container: {docker: {network: HOST, portMappings: []}}, labels: {sluice.owner: me}}, docker: {a: b}, marathn: {}}',
      }),
      [
        'a.yml:8:31: error unsupported-dialect-field: `id` does not belong in a dialect; Sluice names the app',
        'a.yml:8:39: error unsupported-dialect-field: `instances` does not belong in a dialect; write `scale: {instances: ...}`',
        'a.yml:8:53: error unsupported-dialect-field: `cpus` does not belong in a dialect; write `scale: {cpu: ...}`',
        "a.yml:8:62: error unsupported-dialect-field: Marathon's apps have no field `constrants`; did you mean `constraints`?",
        "a.yml:8:78: warning unsupported-dialect-field: Marathon's apps have no field `other`",
        'a.yml:8:88: error unsupported-dialect-field: `ipAddress` does not belong in a dialect; write `networks: [{mode: container, name: ...}]`',
        'a.yml:8:124: error unsupported-dialect-field: `docker.network` is the form of Marathon 1.4; write `network: ...` beside `breed`',
        'a.yml:8:139: error unsupported-dialect-field: `docker.portMappings` is the form of Marathon 1.4; write `container.portMappings`',
        "a.yml:8:168: error unsupported-dialect-field: labels that start with `sluice.` are Sluice's own; rename `sluice.owner`",
        'a.yml:8:188: warning not-acted-on: the dialect `docker` speaks to another platform; it is read and not acted on',
        'a.yml:8:204: error unexpected-element: there is no dialect `marathn`; Sluice speaks `marathon`; did you mean `marathon`?',
      ],
    ],
    [
      'apps that Marathon refuses',
      b({
        service:
          'dialects: {marathon: {cmd: a, args: [b], upgradeStrategy: {minimumHealthCapacity: 2}, constraints: [[hostname, NEAR]]}}',
      }),
      [
        'a.yml:8:39: error invalid-marathon-app: an app has `cmd` or `args`, not both',
        'a.yml:8:50: error invalid-marathon-app: give both `minimumHealthCapacity` and `maximumOverCapacity`',
        'a.yml:8:95: error invalid-marathon-app: a constraint is [field, operator, value] with one of UNIQUE, CLUSTER, GROUP_BY, LIKE, UNLIKE, MAX_PER, IS',
      ],
    ],
    [
      'volumes',
      b({
        service:
          'dialects: {marathon: {container: {volumes: [{containerPath: a, persistent: {size: 1}, mode: RW}]}}}',
      }),
      [
        'a.yml:8:43: error not-built-yet: a persistent or external volume belongs to one app, so two versions cannot run side by side; that needs the strategy `rolling`, which is not built yet',
      ],
    ],
    [
      'one instance at a time',
      b({ service: 'dialects: {marathon: {labels: {MARATHON_SINGLE_INSTANCE_APP: true}}}' }),
      [
        'a.yml:8:40: error not-built-yet: `MARATHON_SINGLE_INSTANCE_APP` allows one instance at a time, so two versions cannot run side by side; that needs the strategy `rolling`, which is not built yet',
      ],
    ],
    [
      'instances bound to a host',
      b({ service: 'dialects: {marathon: {constraints: [[hostname, CLUSTER, a]]}}' }),
      [
        'a.yml:8:31: error not-built-yet: a constraint binds the instances to one host, so two versions cannot run side by side; that needs the strategy `rolling`, which is not built yet',
      ],
    ],
    [
      'a label that lets traffic pass the gateway',
      b({
        service:
          'dialects: {marathon: {labels: {HAPROXY_GROUP: external, HAPROXY_0_VHOST: a.example.com}}}',
      }),
      [
        'a.yml:8:40: warning bypasses-gateway: `HAPROXY_GROUP` lets traffic reach `web` past its gateway; no weight governs it',
        'a.yml:8:65: warning bypasses-gateway: `HAPROXY_0_VHOST` lets traffic reach `web` past its gateway; no weight governs it',
      ],
    ],
    [
      'such a label that versions share',
      b({
        cluster:
          'dialects: {marathon: {labels: {HAPROXY_0_VHOST: a.example.com}, portDefinitions: [{port: 10001, labels: {VIP_0: "/a:80"}}]}}',
      }) + '\n      - breed: {name: web2, deployable: web:2}',
      [
        'a.yml:4:36: warning bypasses-gateway: `HAPROXY_0_VHOST` lets traffic reach `web` past its gateway; no weight governs it',
        'a.yml:4:36: error bypasses-gateway: `HAPROXY_0_VHOST` lets traffic reach `web2` past its gateway under a name that `web` has too; give each service a name of its own, or say `exposed: true` in the rollout of the cluster',
        'a.yml:4:88: warning bypasses-gateway: `port` lets traffic reach `web` past its gateway; no weight governs it',
        'a.yml:4:88: error bypasses-gateway: `port` lets traffic reach `web2` past its gateway under a name that `web` has too; give each service a name of its own, or say `exposed: true` in the rollout of the cluster',
        'a.yml:4:110: warning bypasses-gateway: `VIP_0` lets traffic reach `web` past its gateway; no weight governs it',
        'a.yml:4:110: error bypasses-gateway: `VIP_0` lets traffic reach `web2` past its gateway under a name that `web` has too; give each service a name of its own, or say `exposed: true` in the rollout of the cluster',
      ],
    ],
    [
      'such a label that versions share on purpose',
      b({
        cluster:
          'rollout: {exposed: true}\ndialects: {marathon: {labels: {HAPROXY_0_VHOST: a.example.com}}}',
      }) + '\n      - breed: {name: web2, deployable: web:2}',
      [
        'a.yml:5:36: warning bypasses-gateway: `HAPROXY_0_VHOST` lets traffic reach `web` past its gateway; no weight governs it',
        'a.yml:5:36: warning bypasses-gateway: `HAPROXY_0_VHOST` lets traffic reach `web2` past its gateway; no weight governs it',
      ],
    ],
    [
      'documents of kinds that are misspelt, unbuilt or idle',
      'kind: blueprnt\nname: a\n---\nkind: breeds\nname: b\n---\nkind: workflows\nname: c\n---\nname: d\ndeployable: e\n---\nkind: rollout\nname: f',
      [
        'a.yml:1:7: error inconsistent-artifact-kind: there is no kind `blueprnt`; did you mean `blueprint`?',
        'a.yml:4:7: error not-built-yet: documents of kind `breeds` are not built yet; write it inside a blueprint',
        'a.yml:7:7: warning not-acted-on: a document of kind `workflows` is read and not acted on',
        'a.yml:11:1: error not-built-yet: documents of kind `breeds` are not built yet; write it inside a blueprint',
        'a.yml:13:7: error not-built-yet: documents of kind `rollout` are not built yet; write it inside a blueprint',
      ],
    ],
    [
      'near misses without a kind',
      'name: a\ncluster: {web: {}}\n---\nname: b\nport: 80\nroute: x',
      [
        'a.yml:2:1: error unexpected-element: a blueprint has no key `cluster`; did you mean `clusters`?',
        'a.yml:4:1: error missing-path-value: a gateway needs `routes`',
        'a.yml:6:1: error unexpected-element: a gateway has no key `route`; did you mean `routes`?',
      ],
    ],
    [
      'a gateway of its own with faults',
      'name: a b\nport: 0\nroutes: {"[h]": {}, "[h:99999]": {}, deployment/port: {}, "[x y]": ~}',
      [
        'a.yml:1:7: error unsupported-gateway-name: `a b` is no gateway name; it has no blanks and no [ ], and up to four parts between /',
        'a.yml:2:7: error invalid-gateway-port: a gateway port is a number from 1 to 65535, or as 8080/tcp, found `0`; a port that is chosen by Sluice is not built yet',
        'a.yml:3:10: error unsupported-route-path: `[h]` is no route path; write "[host:port]"',
        'a.yml:3:21: error unsupported-route-path: `[h:99999]` is no route path; write "[host:port]"',
        'a.yml:3:38: error not-built-yet: routes to deployments and gateways, as `deployment/port`, are not built yet; a gateway of its own routes to "[host:port]"',
        'a.yml:3:59: error missing-path-value: route `[x y]` needs a body; write {} or {weight: 100%}',
        'a.yml:3:59: error unsupported-route-path: `[x y]` is no route path; write "[host:port]"',
      ],
    ],
    [
      'a gateway of its own without anything',
      'kind: gateways\nrollout: {steps: []}',
      [
        'a.yml:1:1: error missing-path-value: a gateway needs `name`',
        'a.yml:1:1: error missing-path-value: a gateway needs `port`',
        'a.yml:1:1: error missing-path-value: a gateway needs `routes`',
        'a.yml:2:18: error unexpected-type: `steps` must be a list such as [5%, 50%, 100%], found an empty list',
      ],
    ],
    [
      'text that is not UTF-8',
      b({ breed: 'env: {A: "\uFFFD"}' }),
      ['a.yml:8:20: error invalid-utf8: this text is not valid UTF-8; save the file as UTF-8'],
    ],
  ])('tell %s', (_name, text, expected) => {
    expect(found(text)).toEqual(expected);
  });

  test('never show values of variables, nor the line that a command runs', () => {
    const secret = 'hunter2';
    const breed = `env: {TOKEN: [${secret}], DB_PASSWORD: {${secret}x: 1}, KEY: "$\{${secret} }$", A: *${secret}}`;
    const noAlias = breed.replace(/, A: .*/, '}');
    const texts = [breed, noAlias, 'health_checks: hunter2', 'constants: {SECRET: [hunter2]}'];
    const shown = texts.flatMap((text) => found(b({ breed: text }))).join('\n');
    expect(shown).not.toMatch(/hunter2(?!x)/);
    expect(shown.split('\n').length).toBeGreaterThan(3);
  });

  test('of an error leave nothing of the file to act on, those of a warning all', () => {
    const faulty = compiled(b({ breed: 'prots: {}' }));
    expect([faulty.faulty, faulty.deployments, faulty.gateways]).toEqual([true, [], []]);
    const warned = compiled(b({ cluster: 'sla: gold' }));
    expect([warned.faulty, warned.deployments.length]).toEqual([false, 1]);
  });
});
