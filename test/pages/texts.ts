import { Sheet } from "./sheet.ts";

/** Every word on these pages was made up for this project. */
type Column = { x: number; anchor?: "start" | "middle" | "end" };
const cellsOf = (columns: readonly Column[], texts: readonly string[]) =>
  texts.map((text, index) => ({ ...columns[index]!, text }));

export function invoice(): Sheet {
  const sheet = new Sheet(1000, 1240);
  const font = "Liberation Sans";
  const plain = { font, size: 24 };
  sheet.line(80, 120, "Harrow & Pike Workshop Supplies", { font, size: 40, weight: 700 });
  sheet.lines(80, 165, 32, ["14 Tannery Lane, Millbrook", "Telephone 0555 204 118"], plain);
  sheet.row(280, cellsOf([{ x: 80 }, { x: 560 }], ["Invoice 20417", "Date: 3 March 2025"]), {
    font,
    size: 28,
    weight: 700,
  });
  sheet.lines(80, 330, 32, ["Sold to: Bellweather Boatyard", "Quay Road 7, Port Ansel"], plain);
  const columns: Column[] = [
    { x: 80 },
    { x: 600, anchor: "end" },
    { x: 750, anchor: "end" },
    { x: 910, anchor: "end" },
  ];
  sheet.rule(80, 420, 920);
  sheet.row(452, cellsOf(columns, ["Article", "Pieces", "Price", "Amount"]), { ...plain, weight: 700 });
  sheet.rule(80, 468, 920);
  const articles = [
    ["Brass hinge, 40 mm", "24", "1.85", "44.40"],
    ["Oak plank, planed", "6", "18.20", "109.20"],
    ["Marine varnish, 1 litre", "4", "22.75", "91.00"],
    ["Copper nails, box of 200", "3", "9.60", "28.80"],
    ["Sandpaper, grain 120", "50", "0.45", "22.50"],
    ["Cotton rope, 10 metres", "8", "6.30", "50.40"],
  ];
  for (const [index, article] of articles.entries()) sheet.row(505 + index * 38, cellsOf(columns, article), plain);
  sheet.rule(80, 725, 920);
  const totals: Column[] = [{ x: 600 }, { x: 910, anchor: "end" }];
  sheet.row(765, cellsOf(totals, ["Sum", "346.30"]), plain);
  sheet.row(803, cellsOf(totals, ["Tax 20 %", "69.26"]), plain);
  sheet.row(845, cellsOf(totals, ["To pay", "415.56"]), { font, size: 28, weight: 700 });
  const terms = [
    "Please pay within thirty days to account 7720 4431 09.",
    "Goods remain our property until they are paid in full.",
    "Thank you for your order.",
  ];
  sheet.lines(80, 960, 34, terms, { font, size: 22, ink: "#333333" });
  return sheet;
}

export function deliveryNote(): Sheet {
  const sheet = new Sheet(1000, 1180, "#f4f1e6");
  const font = "Courier Prime";
  const ink = "#22252b";
  sheet.line(90, 130, "DELIVERY NOTE", { font, size: 46, weight: 700, ink });
  const head = ["Carrier: Northgate Haulage", "Vehicle: lorry 12, driver M. Okafor", "Left the depot at 06:45"];
  sheet.lines(90, 200, 40, head, { font, size: 27, ink });
  const columns: Column[] = [{ x: 90 }, { x: 250 }, { x: 760 }];
  sheet.rule(90, 345, 910, ink);
  sheet.row(385, cellsOf(columns, ["Pallet", "Contents", "Weight"]), { font, size: 27, weight: 700, ink });
  sheet.rule(90, 403, 910, ink);
  const pallets = [
    ["P-01", "Roof tiles, red clay", "840 kg"],
    ["P-02", "Roof tiles, red clay", "835 kg"],
    ["P-03", "Ridge tiles, mixed", "410 kg"],
    ["P-04", "Bags of lime mortar", "625 kg"],
    ["P-05", "Gutters and brackets", "190 kg"],
  ];
  for (const [index, pallet] of pallets.entries())
    sheet.row(445 + index * 42, cellsOf(columns, pallet), { font, size: 27, ink });
  const tail = [
    "Five pallets, 2900 kg in all.",
    "Two tiles on pallet P-02 are cracked.",
    "Unload with the forklift at gate B only.",
    "Received by: J. Lindqvist",
    "Time of arrival: 09:10",
  ];
  sheet.lines(90, 700, 44, tail, { font, size: 27, ink });
  return sheet;
}

export function labReport(): Sheet {
  const sheet = new Sheet(1000, 1260);
  const font = "Carlito";
  sheet.line(500, 110, "Riverside Water Laboratory", { font, size: 42, weight: 700, anchor: "middle", ink: "#0b3d5c" });
  sheet.line(500, 155, "Report of analysis 88-1302", { font, size: 28, anchor: "middle", ink: "#0b3d5c" });
  const about = [
    "Sample: well water, Hollis farm, taken on 11 May",
    "Method: field kit and ion chromatography",
    "Analyst: Dr Ines Castellan",
  ];
  sheet.lines(100, 230, 38, about, { font, size: 26 });
  const columns: Column[] = [{ x: 100 }, { x: 480, anchor: "end" }, { x: 560 }, { x: 900, anchor: "end" }];
  sheet.shape('<rect x="90" y="350" width="820" height="44" fill="#dce9f1"/>');
  sheet.row(381, cellsOf(columns, ["Quantity", "Value", "Unit", "Limit"]), { font, size: 26, weight: 700 });
  const values = [
    ["Nitrate", "31.4", "mg per litre", "50"],
    ["Chloride", "62", "mg per litre", "250"],
    ["Sulphate", "88", "mg per litre", "250"],
    ["Iron", "0.07", "mg per litre", "0.20"],
    ["Lead", "0.002", "mg per litre", "0.010"],
    ["Hardness", "14.5", "degrees", "none"],
    ["Acidity", "7.3", "pH", "9.5"],
    ["Turbidity", "0.4", "NTU", "1.0"],
  ];
  for (const [index, value] of values.entries()) {
    sheet.row(430 + index * 42, cellsOf(columns, value), { font, size: 26 });
    sheet.rule(90, 444 + index * 42, 910, "#c9d3da");
  }
  const verdict = [
    "All values lie within the limits for drinking water.",
    "Nitrate has risen since last year and should be",
    "measured again after the autumn rains.",
  ];
  sheet.lines(100, 850, 40, verdict, { font, size: 27 });
  sheet.line(100, 1010, "This report may only be copied as a whole.", { font, size: 20, ink: "#666666" });
  return sheet;
}

export function menu(): Sheet {
  const sheet = new Sheet(900, 1200, "#f6e9cf");
  const font = "EB Garamond";
  const ink = "#4a1f12";
  sheet.line(450, 130, "The Copper Kettle", { font, size: 64, weight: 500, ink, anchor: "middle" });
  sheet.line(450, 185, "Supper from six until ten", { font, size: 32, ink, anchor: "middle" });
  sheet.rule(250, 215, 650, ink);
  const columns: Column[] = [{ x: 110 }, { x: 790, anchor: "end" }];
  const courses: [string, string[][]][] = [
    [
      "Starters",
      [
        ["Leek and potato soup", "5.50"],
        ["Smoked trout with rye bread", "8.00"],
        ["Beetroot salad, goat cheese", "7.25"],
      ],
    ],
    [
      "Mains",
      [
        ["Braised lamb, white beans", "18.50"],
        ["Mushroom pie with thyme", "14.00"],
        ["Grilled mackerel, fennel", "16.75"],
        ["Barley risotto, roast squash", "13.50"],
      ],
    ],
    [
      "Sweets",
      [
        ["Plum crumble and custard", "6.50"],
        ["Honey cake", "5.75"],
        ["Three farmhouse cheeses", "8.50"],
      ],
    ],
  ];
  let y = 290;
  for (const [course, dishes] of courses) {
    sheet.line(110, y, course, { font, size: 42, weight: 600, ink });
    for (const [index, dish] of dishes.entries())
      sheet.row(y + 52 + index * 46, cellsOf(columns, dish), { font, size: 32, ink: "#2b1a14" });
    y += 100 + dishes.length * 46;
  }
  sheet.line(450, 1110, "Please tell us about allergies.", { font, size: 28, ink, anchor: "middle" });
  return sheet;
}

export function notice(): Sheet {
  const sheet = new Sheet(1100, 850, "#12304f");
  const font = "Roboto Slab";
  const ink = "#f5f7fa";
  sheet.line(550, 150, "WATER SHUT OFF", { font, size: 84, weight: 700, ink: "#ffd23f", anchor: "middle" });
  const lines = [
    "Tuesday 9 September, 8 until 13 o'clock",
    "The main pipe under Orchard Street is renewed.",
    "Fill a bucket or two the evening before.",
    "Keep all taps closed while the water is off.",
    "It may run brown for the first few minutes.",
  ];
  sheet.lines(110, 280, 78, lines, { font, size: 38, ink });
  sheet.line(110, 730, "Questions: town works, 0555 310 942", { font, size: 34, weight: 700, ink: "#9fd3ff" });
  return sheet;
}

export function newsletter(): Sheet {
  const sheet = new Sheet(1100, 1180);
  const font = "Liberation Serif";
  sheet.line(550, 105, "The Allotment Gazette", { font, size: 62, weight: 700, anchor: "middle" });
  sheet.line(550, 155, "Number 31, Spring, free to all members of the garden", { font, size: 26, anchor: "middle" });
  sheet.rule(80, 180, 1020);
  const left = [
    "After a long and muddy winter the",
    "paths are dry again, and the first",
    "broad beans stand a hand high. The",
    "committee thanks everybody who",
    "came to mend the fence in January;",
    "forty posts were replaced in one",
    "weekend, and nobody lost a thumb.",
    "",
    "The water butts have been moved",
    "next to the tool shed. Please close",
    "the lids, because hedgehogs climb",
    "in to drink and cannot get out.",
    "",
    "Seed potatoes may be collected on",
    "Saturday morning. Bring a bag and",
    "the right change.",
  ];
  const right = [
    "Plot nineteen is free from April.",
    "It has good soil, two apple trees",
    "and a bench that wants paint. Ask",
    "Rosalind at the gate for the key",
    "and the waiting list.",
    "",
    "Our plant sale takes place on the",
    "second Sunday in May, from nine",
    "until the tables are empty. Label",
    "your pots, set a fair price, and",
    "keep the tender ones indoors until",
    "the nights are mild.",
    "",
    "Lost: one green glove, left hand,",
    "near the compost heaps. Found: a",
    "wedding ring in the leek bed.",
  ];
  for (const [x, lines] of [
    [80, left],
    [580, right],
  ] as const)
    for (const [index, text] of lines.entries()) if (text) sheet.line(x, 250 + index * 50, text, { font, size: 30 });
  return sheet;
}

export function minutes(): Sheet {
  const sheet = new Sheet(1000, 1200, "#fbfbf8");
  const font = "Lato";
  sheet.line(100, 140, "Minutes of the harbour board", { font, size: 44, weight: 700 });
  sheet.lines(100, 200, 40, ["Held on 14 October in the pilot house", "Present: Adeyemi, Brandt, Coll, Duarte"], {
    font,
    size: 27,
    ink: "#444444",
  });
  const lines = [
    "1. The minutes of the last meeting were accepted.",
    "2. Brandt reported that dredging of the north",
    "channel will begin in the first week of November.",
    "Boats longer than twelve metres must use the",
    "southern entrance until further notice.",
    "3. The crane passed its inspection. Two worn",
    "cables are to be replaced before the winter.",
    "4. Duarte proposed to raise the mooring fee by",
    "four percent. Accepted with one vote against.",
    "5. A request for a floating sauna was put off",
    "until the fire brigade has been heard.",
    "Next meeting: 18 November at half past seven.",
  ];
  sheet.lines(100, 330, 54, lines, { font, size: 30 });
  sheet.line(100, 1080, "Signed: Teodor Coll, secretary", { font, size: 27 });
  return sheet;
}

export function receipt(): Sheet {
  const sheet = new Sheet(620, 1040, "#f2f2ef");
  const font = "DejaVu Sans Mono";
  const ink = "#7b7b80";
  const plain = { font, size: 25, ink };
  sheet.line(310, 90, "GREENGROCER ABADI", { font, size: 34, weight: 700, ink, anchor: "middle" });
  sheet.line(310, 132, "Market Square 3", { ...plain, anchor: "middle" });
  sheet.line(310, 168, "12.06.2025 17:42", { ...plain, anchor: "middle" });
  const columns: Column[] = [{ x: 60 }, { x: 560, anchor: "end" }];
  const goods = [
    ["Apples 1.2 kg", "3.36"],
    ["Carrots bunch", "1.80"],
    ["Spinach 500 g", "2.45"],
    ["Lemons 4 pcs", "2.00"],
    ["Eggs 10 pcs", "3.95"],
    ["Paper bag", "0.20"],
  ];
  for (const [index, good] of goods.entries()) sheet.row(245 + index * 44, cellsOf(columns, good), plain);
  sheet.rule(60, 495, 560, ink, 2);
  sheet.row(540, cellsOf(columns, ["TOTAL", "13.76"]), { font, size: 32, weight: 700, ink });
  sheet.row(595, cellsOf(columns, ["Cash", "20.00"]), plain);
  sheet.row(639, cellsOf(columns, ["Change", "6.24"]), plain);
  sheet.lines(60, 740, 44, ["Cashier 2, receipt 5081", "Goodbye and come again"], plain);
  return sheet;
}

export function timetable(): Sheet {
  const sheet = new Sheet(1160, 900);
  const font = "Cantarell";
  sheet.shape('<rect width="1160" height="110" fill="#1f6f4a"/>');
  sheet.line(60, 74, "Bus 47: Station to Lakeside", { font, size: 44, weight: 800, ink: "#ffffff" });
  const columns: Column[] = [{ x: 60 }, { x: 470 }, { x: 610 }, { x: 750 }, { x: 890 }, { x: 1030 }];
  const stops = [
    ["Central Station", "06:10", "07:40", "09:10", "13:25", "18:05"],
    ["Town Hall", "06:14", "07:44", "09:14", "13:29", "18:09"],
    ["Hospital", "06:21", "07:53", "09:21", "13:36", "18:17"],
    ["Brickworks", "06:27", "07:59", "09:27", "13:42", "18:23"],
    ["Chapel Hill", "06:33", "08:06", "09:33", "13:48", "18:30"],
    ["Fisher Bridge", "06:38", "08:11", "09:38", "13:53", "18:35"],
    ["Lakeside Pier", "06:45", "08:19", "09:45", "14:00", "18:42"],
  ];
  for (const [index, stop] of stops.entries()) {
    if (index % 2 === 0) sheet.shape(`<rect x="40" y="${158 + index * 66}" width="1080" height="66" fill="#e8f3ed"/>`);
    sheet.row(202 + index * 66, cellsOf(columns, stop), { font, size: 32, ink: "#14261d" });
  }
  const tail = ["No service on public holidays.", "Bicycles are carried when there is room."];
  sheet.lines(60, 700, 50, tail, { font, size: 30, ink: "#14261d" });
  return sheet;
}

export function letter(): Sheet {
  const sheet = new Sheet(960, 1240, "#fffdf6");
  const font = "Liberation Serif";
  sheet.lines(110, 130, 38, ["Winifred Astley", "3 Coastguard Cottages", "Saltmarsh End"], { font, size: 30 });
  sheet.line(850, 290, "21 August 2025", { font, size: 30, anchor: "end" });
  const lines = [
    "Dear Mr Penhallow,",
    "Thank you for the telescope, which arrived in one",
    "piece although the crate had clearly been rained",
    "upon. I set it up on the sea wall last night and",
    "saw the rings of Saturn within ten minutes. My",
    "neighbour, who came to complain about the light",
    "of my lantern, stayed until two in the morning.",
    "The only fault I find is that the small screw of",
    "the finder turns too easily. A drop of shellac",
    "will cure it, so please do not send another.",
    "The enclosed cheque covers the freight. If you",
    "ever come this way, the kettle is always on.",
    "Yours sincerely,",
  ];
  sheet.lines(110, 380, 54, lines, { font, size: 31 });
  sheet.line(110, 1120, "Winifred Astley", { font, size: 34, ink: "#1b2a6b" });
  return sheet;
}

export function manual(): Sheet {
  const sheet = new Sheet(1180, 1000, "#fdfdfd");
  const font = "Junction";
  sheet.line(80, 110, "Getting to know your hand mill", { font, size: 50, weight: 700, ink: "#0f4c4c" });
  sheet.rule(80, 140, 1100, "#0f4c4c", 3);
  const left = [
    "Before first use, wash the drum in",
    "warm water and let it dry overnight.",
    "Clamp the mill to a firm table and",
    "turn the crank twice while empty.",
    "Set the ring to five for coffee and",
    "to nine for pepper or flax seed.",
    "Never grind anything that is wet.",
  ];
  const right = [
    "If the crank jams, turn it backwards",
    "half a turn and loosen the ring.",
    "A squeaking sound means that the",
    "bearing wants a drop of light oil.",
    "Clean the burrs every month with a",
    "dry brush; soap makes them rust.",
    "Spare parts are listed overleaf.",
  ];
  sheet.line(80, 215, "First steps", { font, size: 36, weight: 700, ink: "#0f4c4c" });
  sheet.lines(80, 275, 52, left, { font, size: 29 });
  sheet.line(640, 215, "When things go wrong", { font, size: 36, weight: 700, ink: "#0f4c4c" });
  sheet.lines(640, 275, 52, right, { font, size: 29 });
  sheet.line(80, 760, "Guaranteed for ten years against faults of material and workmanship.", { font, size: 27 });
  sheet.line(80, 810, "Keep out of the reach of small children.", { font, size: 27 });
  return sheet;
}

export function label(): Sheet {
  const sheet = new Sheet(1000, 700, "#e9e4da");
  const font = "Liberation Sans Narrow";
  sheet.shape('<rect x="60" y="60" width="880" height="580" fill="#ffffff" stroke="#222222" stroke-width="4"/>');
  sheet.line(100, 140, "FRAGILE: KEEP UPRIGHT", { font, size: 58, weight: 700, ink: "#a01515" });
  sheet.rule(60, 170, 940, "#222222", 3);
  sheet.lines(
    100,
    235,
    52,
    ["From: Kiln Street Pottery, Unit 9", "To: Museum of Lamps", "Old Customs House, Varnholt"],
    {
      font,
      size: 42,
    },
  );
  sheet.rule(60, 380, 940, "#222222", 3);
  sheet.row(445, cellsOf([{ x: 100 }, { x: 560 }], ["Parcel 2 of 3", "Weight 11.4 kg"]), { font, size: 42 });
  sheet.line(100, 530, "VRN 0047 1186 20", { font, size: 60, weight: 700 });
  sheet.line(100, 600, "Call 0555 771 203 before delivery", { font, size: 36 });
  return sheet;
}
