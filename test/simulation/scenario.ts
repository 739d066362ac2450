import type { Plot, Service } from './blueprints.ts';
import { textOf } from './blueprints.ts';
import type { Random } from './random.ts';

const NAMES = ['shop', 'pay', 'news', 'mail'];

/** What git holds: files by path. Changes by one commit at a time. */
export class Scenario {
  plots: readonly Plot[];
  readonly #random: Random;
  readonly #past: (readonly Plot[])[] = [];
  #images = 1;

  constructor(random: Random) {
    this.#random = random;
    const count = random.between(1, 3);
    this.plots = Array.from({ length: count }, (_, index) => this.#first(index));
  }

  files(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.plots.map((plot) => [`${plot.name}.yml`, textOf(plot)]));
  }

  /** The next commit: one or two changes; the sentence says which. */
  commit(): string {
    this.#past.push(this.plots);
    const texts = [this.#change()];
    if (this.#random.chance(0.25)) texts.push(this.#change());
    return texts.join(', ');
  }

  /** The last commit of a story is one that can be reached. */
  mend(): string | undefined {
    if (this.plots.every((plot) => !plot.faulty)) return undefined;
    this.plots = this.plots.map((plot) => ({ ...plot, faulty: false }));
    return 'the faulty file is mended';
  }

  #first(index: number): Plot {
    const random = this.#random;
    const port = 9000 + index * 10;
    return {
      name: NAMES[index] ?? 'more',
      cluster: 'web',
      ports: random.chance(0.3) ? [port, port + 1] : random.chance(0.1) ? [] : [port],
      services: [
        { breed: 'app', image: this.#image('good'), instances: random.between(1, 4), weight: 100 },
      ],
      strategy: random.chance(0.8) ? 'canary' : 'all-at-once',
      onFailure: random.chance(0.9) ? 'rollback' : 'hold',
      minReady: random.chance(0.6) ? 100 : 50,
      workers: random.chance(0.3) ? random.between(1, 2) : 0,
      workerImage: this.#image('good'),
      faulty: false,
    };
  }

  #image(kind: string): string {
    this.#images += 1;
    return `${kind}-${String(this.#images)}`;
  }

  #someImage(): string {
    const dice = this.#random.next();
    const kinds = ['slow', 'sick', 'crash', 'late'] as const;
    return this.#image(dice < 0.6 ? 'good' : (kinds[Math.floor((dice - 0.6) * 10)] ?? 'good'));
  }

  #change(): string {
    const { plots } = this;
    const random = this.#random;
    const dice = random.next();
    if (dice < 0.08 && this.#past.length > 1) {
      this.plots = random.pick(this.#past.slice(-3));
      return 'revert to an earlier commit';
    }
    if (dice < 0.11 && plots.length < 3) return this.#add();
    if (plots.length === 0) return this.#add();
    const plot = random.pick(plots);
    if (dice < 0.16) {
      this.plots = plots.filter((one) => one !== plot);
      return `remove ${plot.name}`;
    }
    const [next, text] = dice < 0.26 ? this.#rename(plot) : this.#edit(plot);
    this.plots = plots.map((one) => (one === plot ? next : one));
    return `${plot.name}: ${text}`;
  }

  #add(): string {
    const free = [0, 1, 2].find((index) => {
      const fresh = 9000 + index * 10;
      return !this.plots.some((plot) => plot.name === NAMES[index] || plot.ports.includes(fresh));
    });
    if (free === undefined) return 'nothing';
    const plot = this.#first(free);
    this.plots = [...this.plots, plot];
    return `add ${plot.name}`;
  }

  #rename(plot: Plot): [Plot, string] {
    const random = this.#random;
    const dice = random.next();
    if (dice < 0.4) {
      const name = `${plot.name.split('-')[0] ?? 'x'}-${String(random.between(2, 9))}`;
      if (this.plots.some((one) => one.name === name)) return [plot, 'nothing'];
      return [{ ...plot, name }, `renamed to ${name}`];
    }
    if (dice < 0.7) {
      const cluster = plot.cluster === 'web' ? 'site' : 'web';
      return [{ ...plot, cluster }, `cluster renamed to ${cluster}`];
    }
    const [first, ...rest] = plot.services;
    if (first === undefined) return [plot, 'nothing'];
    const breed = `app${String(random.between(2, 99))}`;
    if (rest.some((one) => one.breed === breed)) return [plot, 'nothing'];
    return [{ ...plot, services: [{ ...first, breed }, ...rest] }, `breed renamed to ${breed}`];
  }

  #edit(plot: Plot): [Plot, string] {
    const random = this.#random;
    const dice = random.next();
    if (dice < 0.06) return [{ ...plot, faulty: !plot.faulty }, plot.faulty ? 'mended' : 'faulty'];
    if (dice < 0.12 && plot.workers > 0) {
      const workerImage = this.#image('good');
      return [{ ...plot, workerImage }, `workers now ${workerImage}`];
    }
    if (dice < 0.42) return this.#newImage(plot);
    if (dice < 0.62) return this.#secondBreed(plot);
    if (dice < 0.8) return this.#weigh(plot);
    if (dice < 0.84) {
      const services = plot.services.map((one) => ({ ...one, weight: 0 }));
      return [{ ...plot, services }, 'every weight 0'];
    }
    const at = random.between(0, plot.services.length - 1);
    const instances = random.between(1, 5);
    return [
      withService(plot, at, { instances }),
      `service ${String(at)} to ${String(instances)} instances`,
    ];
  }

  #newImage(plot: Plot): [Plot, string] {
    const at = this.#random.between(0, plot.services.length - 1);
    const image = this.#someImage();
    return [withService(plot, at, { image }), `service ${String(at)} now ${image}`];
  }

  #secondBreed(plot: Plot): [Plot, string] {
    const random = this.#random;
    const [first, second] = plot.services;
    if (first === undefined) return [plot, 'nothing'];
    if (second !== undefined) {
      const kept = random.chance(0.5) ? first : second;
      return [{ ...plot, services: [{ ...kept, weight: 100 }] }, `only ${kept.breed} stays`];
    }
    const weight = random.pick([5, 10, 20, 30, 50, 100]);
    const service: Service = {
      breed: `next${String(random.between(100, 999))}`,
      image: this.#someImage(),
      instances: random.between(1, 3),
      weight,
    };
    return [
      { ...plot, services: [{ ...first, weight: 100 - weight }, service] },
      `second breed ${service.breed} ${service.image} at ${String(weight)}%`,
    ];
  }

  #weigh(plot: Plot): [Plot, string] {
    const [first, second] = plot.services;
    if (first === undefined) return [plot, 'nothing'];
    const weight = this.#random.pick([0, 5, 15, 40, 60, 100]);
    if (second === undefined) {
      return [withService(plot, 0, { weight: 100 }), 'all to the first service'];
    }
    const services = [
      { ...first, weight: 100 - weight },
      { ...second, weight },
    ];
    return [{ ...plot, services }, `weights ${String(100 - weight)}/${String(weight)}`];
  }
}

function withService(plot: Plot, at: number, change: Partial<Service>): Plot {
  const services = plot.services.map((one, index) => (index === at ? { ...one, ...change } : one));
  return { ...plot, services };
}
