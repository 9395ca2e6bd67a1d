//! A behaviour that opens streams on demand and hands over those that come in.
//!
//! Not libp2p-stream: that drops incoming streams while one waits to be taken, and opens
//! them on any connection to the peer, be it a relayed one.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    future::{ready, Ready},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use libp2p::{
    core::{
        transport::PortUse, upgrade::UpgradeInfo, Endpoint, InboundUpgrade, OutboundUpgrade,
    },
    swarm::{
        behaviour::{ConnectionClosed, ConnectionEstablished},
        handler::{
            ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
        },
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, NotifyHandler, SubstreamProtocol, THandlerInEvent, THandlerOutEvent,
        ToSwarm,
    },
    Multiaddr, PeerId, Stream, StreamProtocol,
};
use tokio::sync::oneshot;

pub type Answer = oneshot::Sender<Result<Stream, String>>;

/// A stream that the remote opened.
#[derive(Debug)]
pub struct Incoming {
    pub peer: PeerId,
    pub protocol: StreamProtocol,
    pub stream: Stream,
}

#[derive(Debug)]
pub enum Order {
    Open(StreamProtocol, Answer),
    /// There are more protocols: the peer wants to know.
    Wake,
}

/// What is accepted, on all connections at once.
#[derive(Clone, Default)]
struct Protocols(Arc<Mutex<Vec<StreamProtocol>>>);

impl Protocols {
    fn lock(&self) -> MutexGuard<'_, Vec<StreamProtocol>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
pub struct Behaviour {
    protocols: Protocols,
    conns: HashMap<PeerId, Vec<(ConnectionId, bool)>>,
    actions: VecDeque<ToSwarm<Incoming, Order>>,
}

impl Behaviour {
    pub fn accept(&mut self, protocol: StreamProtocol) {
        let mut protocols = self.protocols.lock();
        if protocols.contains(&protocol) {
            return;
        }
        protocols.push(protocol);
        for (&peer, conns) in &self.conns {
            for &(conn, _) in conns {
                self.actions.push_back(order(peer, conn, Order::Wake));
            }
        }
    }

    /// On a direct connection when there is one.
    pub fn open(&mut self, peer: PeerId, protocol: StreamProtocol, answer: Answer) {
        let best = self.conns.get(&peer).and_then(|c| c.iter().min_by_key(|(_, relayed)| relayed));
        match best {
            Some(&(conn, _)) => {
                self.actions.push_back(order(peer, conn, Order::Open(protocol, answer)));
            }
            None => _ = answer.send(Err("not connected".to_string())),
        }
    }
}

fn order(peer_id: PeerId, conn: ConnectionId, event: Order) -> ToSwarm<Incoming, Order> {
    ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::One(conn), event }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Incoming;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler { protocols: self.protocols.clone(), events: VecDeque::new() })
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<Handler, ConnectionDenied> {
        Ok(Handler { protocols: self.protocols.clone(), events: VecDeque::new() })
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            }) => {
                let conns = self.conns.entry(peer_id).or_default();
                conns.push((connection_id, endpoint.is_relayed()));
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) => {
                if let Some(conns) = self.conns.get_mut(&peer_id) {
                    conns.retain(|(id, _)| *id != connection_id);
                }
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        _: ConnectionId,
        (protocol, stream): THandlerOutEvent<Self>,
    ) {
        self.actions.push_back(ToSwarm::GenerateEvent(Incoming { peer, protocol, stream }));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Incoming, THandlerInEvent<Self>>> {
        self.actions.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

type Event = ConnectionHandlerEvent<Upgrade, Answer, (StreamProtocol, Stream)>;

pub struct Handler {
    protocols: Protocols,
    events: VecDeque<Event>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Order;
    type ToBehaviour = (StreamProtocol, Stream);
    type InboundProtocol = Upgrade;
    type OutboundProtocol = Upgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Answer;

    fn listen_protocol(&self) -> SubstreamProtocol<Upgrade> {
        SubstreamProtocol::new(Upgrade(self.protocols.lock().clone()), ())
    }

    fn on_behaviour_event(&mut self, order: Order) {
        match order {
            Order::Wake => {},
            Order::Open(protocol, answer) => {
                let protocol = SubstreamProtocol::new(Upgrade(vec![protocol]), answer);
                self.events.push_back(Event::OutboundSubstreamRequest { protocol });
            }
        }
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<Upgrade, Upgrade, (), Answer>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol, ..
            }) => self.events.push_back(Event::NotifyBehaviour(protocol)),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (_, stream),
                info,
            }) => _ = info.send(Ok(stream)),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                _ = info.send(Err(error.to_string()));
            }
            _ => {}
        }
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<Event> {
        self.events.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

/// Takes the stream as it is.
pub struct Upgrade(Vec<StreamProtocol>);

impl UpgradeInfo for Upgrade {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Upgrade {
    type Output = (StreamProtocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}

impl OutboundUpgrade<Stream> for Upgrade {
    type Output = (StreamProtocol, Stream);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_outbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((protocol, stream)))
    }
}
