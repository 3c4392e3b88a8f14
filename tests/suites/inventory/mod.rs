//! Suite: inventory. The context over a real store: its port, its timer, its
//! API. Each test ends with the audit of what it left behind.

mod api_of_products;
mod api_of_stock;
mod api_of_the_catalogue;
mod catalogue;
mod events;
mod expiring;
mod reserving;
mod shop;
mod taking_and_releasing;
