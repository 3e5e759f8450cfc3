uniform mat4 camera;
uniform float flip;          // -1 draws the mirror image under a wet road
uniform sampler2D palette;
uniform int lamps;
uniform vec4 lamp[16];       // street lamps: place and reach
uniform vec3 lamp_color;
uniform vec3 eye;
uniform float haze;
out vec3 at;
out vec3 across;
out vec3 base;
flat out float kind;         // < 0.5 gloss, > 0.5 glows
out float sunlight;
out vec3 lamplight;
out float clear;           // share that haze lets through
flat out uint identity;

void main() {
    at = placed();
    across = turned(normal / size);
    vec4 color = texelFetch(palette, ivec2(int(tag.x + 0.5), int(extra.y + 0.5)), 0);
    base = color.rgb * color.rgb;
    kind = color.a;
    sunlight = extra.z;
    identity = uint(extra.x + 0.5) * 8u + uint(tag.y * extra.w + 0.5);
    lamplight = vec3(0.0);
    vec3 n = normalize(across);
    for (int i = 0; i < lamps; i++) {
        vec3 way = lamp[i].xyz - at;
        float far = length(way);
        float cone = smoothstep(0.15, 0.9, way.z / far);
        lamplight += lamp_color * cone * (0.35 + 0.65 * max(dot(n, way / far), 0.0)) * lamp[i].w / (far * far);
    }
    clear = exp(-haze * length(at - eye));
    gl_Position = camera * vec4(at.xy, at.z * flip, 1.0);
}
