// Soft patches on the ground: the dark under a vehicle, or the light of its headlamps.
uniform mat4 camera;
in vec2 corner;              // -1 .. 1
in vec3 centre;              // world; z is unused
in vec4 shape;               // half length, half width, cos and sin of the heading
in vec4 tint;                // colour, and 0: round, 1: cone of a headlamp
out vec2 place;
flat out vec4 paint;
void main() {
    place = corner;
    paint = tint;
    vec2 p = corner * shape.xy;
    p = centre.xy + vec2(shape.z * p.x - shape.w * p.y, shape.w * p.x + shape.z * p.y);
    gl_Position = camera * vec4(p, 0.0, 1.0);
}
