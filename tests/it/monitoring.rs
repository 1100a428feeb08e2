//! What operators watch: the rules of Prometheus, the dashboard of Grafana and the runbooks, by themselves, and over gateways
//! that run.

mod alerts;
mod dashboard;
mod load;
mod panels;
mod rules;
mod runbooks;
mod shipped;
