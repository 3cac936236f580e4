// Tutorial 3, one of those who listen: node fanout_follow.js EXCHANGE

import { connect, waitUntilStopped } from "./tutorial.js";

const [exchange] = process.argv.slice(2);
const connection = await connect();
const channel = await connection.createChannel();
await channel.assertExchange(exchange, "fanout", { durable: false });
// A queue of our own with a name of the broker's choice; it goes when this program goes.
const { queue } = await channel.assertQueue("", { exclusive: true });
await channel.bindQueue(queue, exchange, "");
await channel.consume(queue, (message) => console.log(message.content.toString()), {
  noAck: true,
});
waitUntilStopped(connection);
