// Tutorial 3, who tells everybody: node fanout_emit.js EXCHANGE TEXT

import { connect } from "./tutorial.js";

const [exchange, text] = process.argv.slice(2);
const connection = await connect();
const channel = await connection.createChannel();
await channel.assertExchange(exchange, "fanout", { durable: false });
channel.publish(exchange, "", Buffer.from(text));
await channel.close();
await connection.close();
console.log(`sent: ${text}`);
