"""The look of the report: calm, and right on light and dark screens and on paper."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark;
  --page: #f7f6f3; --card: #ffffff; --ink: #24262b; --soft: #6c7079; --rule: #e3e1db; --grid: #ecebe6;
  --accent: #2f6db5; --gap: #9a938426; --warn: #a35a00; --warn-back: #fff4e2; }
@media (prefers-color-scheme: dark) { :root {
  --page: #17181b; --card: #1f2125; --ink: #e4e3df; --soft: #9a9da5; --rule: #34363c; --grid: #2a2c31;
  --accent: #77aef0; --gap: #c9bda01c; --warn: #f0b55c; --warn-back: #2f2819; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 28px; font-weight: 600; letter-spacing: -0.01em; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 17px; font-weight: 600; margin: 44px 0 4px; }
h3 { font-size: 13px; font-weight: 600; margin: 20px 0 6px; color: var(--soft); text-transform: capitalize; }
p { margin: 4px 0 12px; max-width: 72ch; } .soft { color: var(--soft); } .small { font-size: 13px; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 1px; margin: 24px 0 0;
  background: var(--rule); border: 1px solid var(--rule); border-radius: 8px; overflow: hidden; }
.figures div { background: var(--card); padding: 12px 16px; }
.figures b { display: block; font-size: 22px; font-weight: 600; font-variant-numeric: tabular-nums; line-height: 1.3; }
.figures span { color: var(--soft); font-size: 13px; }
.notes { background: var(--warn-back); border-left: 3px solid var(--warn); border-radius: 0 6px 6px 0;
  padding: 10px 16px; margin: 20px 0 0; } .notes ul { margin: 0; padding-left: 18px; }
.sheet { display: grid; grid-template-columns: repeat(6, 1fr); gap: 10px; margin-top: 10px; }
figure { margin: 0; } figure img { width: 100%; aspect-ratio: 1; display: block; border-radius: 6px; }
figure.tall img { aspect-ratio: 1 / 2; }
figcaption { font-size: 12px; color: var(--soft); font-variant-numeric: tabular-nums; margin-top: 3px; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 14px 16px 10px;
  margin-top: 10px; }
svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { fill: var(--soft); font-size: 11.5px; font-family: inherit; font-variant-numeric: tabular-nums; }
svg .title { fill: var(--ink); font-size: 13px; font-weight: 600; }
.curve { fill: none; stroke: var(--accent); stroke-width: 1.4; stroke-linejoin: round;
  vector-effect: non-scaling-stroke; }
.envelope { fill: var(--accent); stroke: var(--accent); stroke-width: 1; stroke-linejoin: round;
  vector-effect: non-scaling-stroke; }
.grid { stroke: var(--grid); stroke-width: 1; vector-effect: non-scaling-stroke; }
.base { stroke: var(--rule); stroke-width: 1; vector-effect: non-scaling-stroke; }
.gap { fill: var(--gap); } .frame { fill: none; stroke: var(--rule); }
.multiples { display: grid; grid-template-columns: repeat(auto-fill, minmax(222px, 1fr)); gap: 10px; }
.channel { background: var(--card); border: 1px solid var(--rule); border-radius: 6px; padding: 7px 10px 8px; }
.channel div { display: flex; justify-content: space-between; font-size: 12.5px; margin-bottom: 3px; gap: 8px; }
.channel div span { color: var(--soft); font-variant-numeric: tabular-nums; white-space: nowrap; }
.channel svg { height: 46px; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(300px, 1fr)); gap: 0 32px; align-items: start; }
table { border-collapse: collapse; width: 100%; font-size: 14px; font-variant-numeric: tabular-nums; margin-top: 6px; }
th { text-align: left; font-weight: 500; color: var(--soft); font-size: 13px; }
td, th { padding: 5px 12px 5px 0; border-bottom: 1px solid var(--rule); vertical-align: top; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; white-space: nowrap; }
.bar { background: var(--accent); height: 8px; border-radius: 4px; min-width: 1px; opacity: 0.75; }
.chips { display: flex; flex-wrap: wrap; gap: 6px; margin-top: 6px; padding: 0; list-style: none; }
.chips li { border: 1px solid var(--rule); background: var(--card); border-radius: 12px; padding: 1px 10px;
  font-size: 13px; }
footer { margin-top: 48px; color: var(--soft); font-size: 13px; }
@media (max-width: 760px) { .sheet { grid-template-columns: repeat(3, 1fr); } main { padding: 24px 14px; } }
@media print { body { background: #fff; } .card, .channel, figure { break-inside: avoid; } }
"""
