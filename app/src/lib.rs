//! The program: command line, settings, composition root, gateway, console.
