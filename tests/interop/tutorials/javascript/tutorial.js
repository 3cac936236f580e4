// What the programs of this folder share: the broker's address, and how they wait and end.

import amqp from "amqplib";

// AMQP_URL in the environment names another broker.
const address = "amqp://guest:guest@127.0.0.1:5672/%2F";

export function connect() {
  return amqp.connect(process.env.AMQP_URL ?? address);
}

/** Says that the program listens, and ends it at Control-C or SIGTERM. */
export function waitUntilStopped(connection) {
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, async () => {
      await connection.close();
      process.exit(0);
    });
  }
  console.log("waiting");
}
