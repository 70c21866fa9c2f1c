//! What is watched: the operator's part of the catalogue, and labels that are kept right.

mod cancelled;
mod changes;
mod copier;
mod copies;
mod hidden_copies;
mod host;
mod labels;
mod other_trees;
mod overlays;
mod policy;
mod remembered;
mod requests;
mod swapped;
mod trees;
