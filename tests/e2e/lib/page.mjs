// The page that browsers open: a deployed client, as it stands in theirs.
import http from 'node:http';

// Runs inside the page. The client knows register, offer, answer, ice-candidate and nothing newer; of the URLs it is told it
// takes those that match `only`.
function client() {
	window.meet = ({ url, me, other, offers, messages, only = '' }) => new Promise((resolve, reject) => {
		const socket = new WebSocket(url);
		const got = [];
		let pc;
		const send = (message) => socket.send(JSON.stringify({ from: me, to: other, ...message }));
		const pair = async () => {
			let stats;
			let chosen;
			// The side that is controlled may hear of the nomination after the first messages.
			while (!chosen) {
				stats = [...(await pc.getStats()).values()];
				chosen = stats.find((each) => each.type === 'candidate-pair' && each.nominated && each.state === 'succeeded');
			}
			const type = (id) => stats.find((each) => each.id === id)?.candidateType;
			return [type(chosen.localCandidateId), type(chosen.remoteCandidateId)];
		};
		const talk = (channel) => {
			channel.onmessage = async ({ data }) => {
				got.push(Number(data));
				if (!offers) channel.send(data);
				if (got.length === messages) resolve({ got, pair: await pair() });
			};
			channel.onopen = () => {
				for (let n = 0; offers && n < messages; n++) channel.send(String(n));
			};
		};
		const open = (told) => {
			const iceServers = told.map((each) => ({ ...each, urls: each.urls.filter((one) => new RegExp(only).test(one)) }))
				.filter(({ urls }) => urls.length > 0);
			pc = new RTCPeerConnection({ iceServers, iceTransportPolicy: 'relay' });
			pc.onicecandidate = ({ candidate }) => candidate && send({ type: 'ice-candidate', candidate });
			pc.oniceconnectionstatechange = () => pc.iceConnectionState === 'failed' && reject(new Error('ICE failed'));
			pc.ondatachannel = ({ channel }) => talk(channel);
		};
		const call = async () => {
			talk(pc.createDataChannel('talk'));
			await pc.setLocalDescription(await pc.createOffer());
			send({ type: 'offer', offer: pc.localDescription });
		};
		const answer = async (offer) => {
			await pc.setRemoteDescription(offer);
			await pc.setLocalDescription(await pc.createAnswer());
			send({ type: 'answer', answer: pc.localDescription });
		};
		const hear = {
			registered: async ({ ice_servers, connected_agents }) => {
				open(ice_servers);
				if (offers && connected_agents.includes(other)) await call();
			},
			'agent-joined': async ({ agent_id }) => offers && agent_id === other && call(),
			offer: ({ offer }) => answer(offer),
			answer: ({ answer: description }) => pc.setRemoteDescription(description),
			'ice-candidate': ({ candidate }) => pc.addIceCandidate(candidate),
			error: ({ message }) => reject(new Error(message)),
		};
		let last = Promise.resolve();
		socket.onopen = () => socket.send(JSON.stringify({ type: 'register', agent_id: me }));
		socket.onmessage = ({ data }) => {
			const frame = JSON.parse(data);
			last = last.then(() => hear[frame.type]?.(frame)).catch(reject);
		};
		socket.onerror = () => reject(new Error('the WebSocket failed'));
	});
}

// The ways to a relay: which URLs are theirs, and the number of the transport in the log (protocol/event.h).
export const ways = [
	{ name: 'UDP', only: '^turn:.*=udp$', transport: 0 },
	{ name: 'TCP', only: '^turn:.*=tcp$', transport: 1 },
	{ name: 'TLS', only: '^turns:', transport: 2 },
];

// Serves the page on this machine. What a page without a driver posts to /outcome is what `outcome` resolves with.
export async function serve(script = '') {
	let settle;
	const outcome = new Promise((resolve) => { settle = resolve; });
	const server = http.createServer((request, reply) => {
		if (request.method === 'POST') {
			let body = '';
			request.setEncoding('utf8').on('data', (text) => { body += text; }).on('end', () => settle(JSON.parse(body)));
		}
		reply.setHeader('Content-Type', 'text/html');
		reply.end(`<!doctype html><title>ifswarm</title><script>(${client})();${script}</script>`);
	}).listen(0, '127.0.0.1');
	await new Promise((resolve) => server.once('listening', resolve));
	return { url: `http://localhost:${server.address().port}/`, outcome, close: () => server.close() };
}
