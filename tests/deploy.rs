//! `kubectl apply -k deploy` on a real API server, and the operator under the account that it makes: the audit log shows
//! no missing permission and no unused one.

#[path = "deploy/audit.rs"]
mod audit;
